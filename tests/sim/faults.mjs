// Does the simulated world see what it should? Puts faults into a copy of the sources, one by one, and says
// how long each takes to be found. No part of `make test`.
// Usage: node tests/sim/faults.mjs [WORD]...     those whose name has one of the words
// Last line: N passed, N failed, N skipped. A fault whose place is gone from the sources fails.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const copy = path.join(root, 'build-sim-faults/tree');
const build = path.join(copy, 'build-sim'); // as far from its sources as the real one: a compiler's cache helps
const most_s = 600;

const faults = [
  { name: 'a missed purge check: a look-up takes what was purged',
    file: 'src/cache/index.c',
    from: '    if (p.gone)\n        return USABLE_GONE;\n',
    to: '' },
  { name: 'a lost notice: its mark is cleared after the receiver has looked, not before',
    file: 'src/io/notice.c',
    from: '    notice_received(&n->notice);\n    n->run(n);',
    to: '    n->run(n);\n    notice_received(&n->notice);' },
  { name: 'a wrong key part: the value of a cookie is not in the key',
    file: 'src/cache/key.c',
    from: '*seen = (struct cookie_seen){ c.value, NULL };',
    to: '*seen = (struct cookie_seen){ STR_NONE, NULL };' },
  { name: 'an early publish: the number of a purge is known before its names are',
    file: 'src/cache/epoch.c',
    from: '    CHECK((unsigned)kind < PURGE_KINDS);\n    lock_take(&e->lock);\n    check_whole(e);\n' +
      '    uint64_t number = atomic_load_explicit(&e->latest, memory_order_relaxed);\n',
    to: '    CHECK((unsigned)kind < PURGE_KINDS);\n' +
      '    uint64_t number = atomic_fetch_add_explicit(&e->latest, n, memory_order_relaxed);\n' +
      '    lock_take(&e->lock);\n    check_whole(e);\n' },
  { name: 'a forgotten fsync: a purge counts as durable when it is written',
    file: 'src/store/facts_log.c',
    from: '    int status = facts_disk_sync(l->disk, l->file);',
    to: '    int status = 0;' },
  { name: 'a missed Vary: Accept-Language is not varied on',
    file: 'src/cache/rule.c',
    from: 'draft->vary_language = true;',
    to: 'draft->vary_language = false;' },
  { name: 'a stale window too long: stale-while-revalidate counts five times',
    file: 'src/cache/policy.c',
    from: 'window(d->stale_while_revalidate);',
    to: '5 * window(d->stale_while_revalidate);' },
  { name: 'no-cache does not count',
    file: 'src/cache/policy.c',
    from: '    if (f->always_revalidate || invalidated || request->no_cache)\n        return REUSE_REVALIDATE;',
    to: '    if (invalidated || request->no_cache)\n        return REUSE_REVALIDATE;' },
  { name: 'a private response stored',
    file: 'src/cache/policy.c',
    from: '    if (d->private_)\n        return REASON_PRIVATE;\n',
    to: '' },
  { name: 'a cut body sealed as whole: the end of the connection ends chunks, too',
    file: 'src/origin/fetch.c',
    from: 'bool is_whole = f->framing.kind == FRAMING_CLOSE ||',
    to: 'bool is_whole = f->framing.kind != FRAMING_LENGTH ||' },
  { name: 'a purge applied, but not written',
    file: 'src/cache/epoch_saved.c',
    from: '    if (s->is_unsaved)\n        return;',
    to: '    if (s->last[PURGE_HARD] % 4 == 0 || s->is_unsaved)\n        return;' },
  { name: 'an older record wins over a newer one',
    file: 'src/cache/shelf.c',
    from: '        return p->begin > item->begin;',
    to: '        return p->begin < item->begin;' },
  { name: 'a waiter not woken: the third of a herd',
    file: 'src/request/reader.c',
    from: '        request_wake(reader->request);\n    }\n    h->telling = false;',
    to: '        if (i < 2)\n            request_wake(reader->request);\n    }\n    h->telling = false;' },
  { name: 'an upload does not invalidate its page',
    file: 'src/origin/invalidate.c',
    from: '    invalidate_url(c, at, a, now_mono_ms);\n    invalidate_reference',
    to: '    invalidate_reference' },
  { name: 'an upload does not invalidate the page that its Location names',
    file: 'src/origin/invalidate.c',
    from: '    invalidate_reference(c, at, fields_value(response, FIELD_LOCATION), a, now_mono_ms);\n',
    to: '' },
  { name: 'an upload sent twice: any request counts as repeatable',
    file: 'src/origin/fetch.c',
    from: 'return is_idempotent(f) && !f->has_upload && !f->plan.upgrade;',
    to: 'return !f->plan.upgrade;' },
  { name: 'a cut upload that ends as if it were whole',
    file: 'src/request/request_body.c',
    from: 'whole ? UPLOAD_ENDED : UPLOAD_FAILED',
    to: 'whole ? UPLOAD_ENDED : UPLOAD_ENDED' },
  { name: 'an upload ring that counts the bytes at its beginning only',
    file: 'src/origin/upload.c',
    from: 'iov[1] = (struct iovec){ u->ring, u->n - run };',
    to: 'iov[1] = (struct iovec){ u->ring + 1, u->n - run };' },
  { name: 'an upload of which a piece waits when its answer comes (a fault that was there)',
    file: 'src/front/h1_body.c',
    from: '    c->piece = STR_NONE; /* an upload had no room for it, and its answer came first */\n',
    to: '' },
  { name: 'a range of a page that If-Range does not name',
    file: 'src/request/deliver.c',
    from: '        !if_range_holds(&r->fields, validators, r->w->loop->now.wall_ms / 1000))\n        return false;\n    switch',
    to: '        !validators)\n        return false;\n    switch' },
  { name: 'a range sent on without its If-Range (a fault that was there)',
    file: 'src/origin/fetch_request.c',
    from: '(id == FIELD_IF_RANGE && p->range.n)',
    to: '(id == FIELD_IF_RANGE && !p)' },
  { name: 'a range of a long page on disk that begins with its window',
    file: 'src/request/window.c',
    from: '(struct iovec){ w->part.to + skip,',
    to: '(struct iovec){ w->part.to,' },
  { name: 'a coded body without its end',
    file: 'src/coding/coder.c',
    from: 'iov.iov_len }, at == end, to);',
    to: 'iov.iov_len }, false, to);' },
  { name: 'a coding that the visitor does not take',
    file: 'src/request/deliver_coding.c',
    from: 'unsigned usual = accept_encoding_usual(&r->fields);',
    to: 'unsigned usual = accept_encoding_usual(&r->fields) | 1u << CODING_BR;' },
  { name: 'a tunnel that loses what came with the 101',
    file: 'src/request/tunnel.c',
    from: '    if (rest.n) {\n',
    to: '    if (rest.n > BUFFER_BYTES) {\n' },
  { name: 'a tunnel that does not pass on the end of one side',
    file: 'src/request/tunnel.c',
    from: '    r->tunnel->up.ended = true;\n    push_up(r->tunnel);',
    to: '    r->tunnel->up.ended = true;' },
];

const clean_sim = path.join(copy, 'sim-without-faults');

function run(command, args, options = {}) {
  const r = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  return { ok: r.status === 0, out: `${r.stdout}${r.stderr}` };
}

function prepare() {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const name of ['meson.build', 'meson_options.txt', 'src', 'tools', 'tests/sim'])
    cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
  const r = run('meson', ['setup', build, copy, '--werror', '-Dbuildtype=debugoptimized', '-Ddebug_checks=true', '-Dsim=true']);
  if (!r.ok)
    throw new Error(r.out);
}

function build_sim() {
  const b = run('ninja', ['-C', build, 'tests/sim/sim']);
  return b.ok ? null : b.out;
}

function worlds(sim, seed, n, seconds) {
  const r = run(sim, ['--seed', String(seed), '--worlds', String(n), '--seconds', String(seconds)]);
  return { found: !r.ok, passed: [...r.out.matchAll(/^world /gm)].length, out: r.out };
}

/* A world that fails without the fault, too, says nothing of it: it is named, and passed over. */
function search() {
  const began = Date.now();
  for (let seed = 1, left = most_s; left > 0; seed++) {
    const r = worlds(path.join(build, 'tests/sim/sim'), seed, 100000, Math.ceil(left));
    const seconds = (Date.now() - began) / 1000;
    seed += r.passed;
    if (!r.found || worlds(clean_sim, seed, 1, most_s).passed === 1)
      return { ...r, seconds, worlds: seed };
    console.log(`world ${seed} fails without a fault, too: ${finding(r.out)}`);
    left = most_s - (Date.now() - began) / 1000;
  }
  return { found: false, seconds: most_s, worlds: 0 };
}

/* What the last lines say was wrong: the model's sentence, or a check of the program. */
function finding(out) {
  const model = out.match(/^sim: at .*$/m);
  const check = out.match(/^.*(check failed|CHECK|failed:).*$/m);
  return (model ?? check ?? ['no sentence'])[0].trim().slice(0, 150);
}

const words = process.argv.slice(2);
const chosen = faults.filter((f) => words.length === 0 || words.some((w) => f.name.includes(w)));
let passed = 0, failed = 0;
prepare();
const broken = build_sim();
if (broken) {
  console.log(broken);
  process.exit(1);
}
copyFileSync(path.join(build, 'tests/sim/sim'), clean_sim);
chmodSync(clean_sim, 0o755);
for (const f of chosen) {
  const file = path.join(copy, f.file);
  const good = readFileSync(file, 'utf8');
  if (good.split(f.from).length !== 2) {
    console.log(`failed: ${f.name}: its place in ${f.file} is gone, or there are several`);
    failed++;
    continue;
  }
  writeFileSync(file, good.replace(f.from, () => f.to));
  const wrong = build_sim();
  const r = wrong ? null : search();
  writeFileSync(file, good);
  if (r?.found) {
    passed++;
    console.log(`found after ${r.seconds.toFixed(1)} s, in world ${r.worlds}: ${f.name}\n    ${finding(r.out)}`);
  } else {
    failed++;
    console.log(`failed: ${f.name}: ${wrong ?? `not found in ${r.seconds.toFixed(0)} s, ${r.worlds - 1} worlds`}`);
  }
}
console.log(`${passed} passed, ${failed} failed, ${faults.length - chosen.length} skipped`);
process.exit(failed > 0 ? 1 : 0);
