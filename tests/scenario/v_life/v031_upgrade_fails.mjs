// A new freshet that does not start leaves the old one serving, storing and purging as before, and whoever asked for it is told why: mistakes in the
// configuration, a program that is none, ends, crashes, says nothing, or dies with the store in its hands.
// scenarios V4
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, reply, request, scenario, soon } from '../lib.mjs';

const real = process.env.FRESHET;
const program = path.resolve('bin-freshet');
const install = (text) => {
  fs.rmSync(program, { force: true });
  if (text === undefined) return;
  if (text === real) fs.symlinkSync(real, program);
  else fs.writeFileSync(program, text, { mode: 0o755 });
};
// A program that speaks to the old one up to some message, and then does something.
const speaker = (upto, then) => `#!/usr/bin/perl
use Socket; my $fd = $ENV{FRESHET_UPGRADE}; open(my $s, "+<&=", $fd) or die; $| = 1;
sub till { my $w = shift; while (1) { my $m = ""; defined recv($s, $m, 65537, 0) or die; $m eq "" and exit 9; return if substr($m, 0, 1) eq $w; } }
till("B"); ${upto === 'B' ? '' : 'send($s, "P", 0); till("T");'} ${then}`;
install(real);
process.env.FRESHET = program;

const answer = (r) => reply(`${r.target} ${++n}`, { 'Cache-Control': 'max-age=6000', 'Cache-Tag': r.target.slice(1) });
let n = 0;
const yaml = (origin) => `sites: {shop: {origin: "${origin}"}}\n`;
await scenario({ answer, yaml, flags: ['--workers', '2', '--idle-timeout', '1h'] }, async ({ ask, cases, connect, freshet }) => {
  process.env.FRESHET = real; // for the verbs
  const pid = freshet.note('pid');
  const hits = async (target) => /hit/.test((await ask(target)).fields['cache-status']);
  const idle = connect();
  await idle.send(request('/idle'));
  await idle.answers(1);
  let round = 0;
  const still = async (what) => {
    round++;
    equal((await ask('/kept')).status, 200);
    check(await hits('/kept'), `${what}: what was stored`);
    await ask(`/purged${round}`);
    const r = await freshet.api('POST', '/api/v1/purge', `{"cache_tags":["purged${round}"]}`);
    equal(r.status, 202);
    equal(JSON.parse(r.text).durable, true, `${what}: durable`);
    check(!(await hits(`/purged${round}`)), `${what}: what was purged`);
    await idle.send(request('/idle'));
    equal((await idle.answers(round + 1)).at(-1).status, 200);
    equal(freshet.note('status'), undefined);
    equal(JSON.parse((await freshet.api('GET', '/api/v1/upgrade')).text).pid, +pid);
  };
  const fails = (what, prepare, pattern) => cases.check(what, async () => {
    await prepare();
    const r = await freshet.verb('upgrade');
    equal(r.status, 1, 'exit code');
    check(r.stderr.startsWith('freshet upgrade: the old freshet goes on: ') && pattern.test(r.stderr), r.stderr);
    await still(what);
  });
  await ask('/kept');
  const good = fs.readFileSync('config.yaml', 'utf8');
  await fails('a mistake in the configuration', () => fs.writeFileSync('config.yaml', 'sites: 5\n'), /exit code 1; it said: .*config\.yaml/);
  fs.writeFileSync('config.yaml', good);
  await fails('what it needs is not there', () => fs.writeFileSync('config.yaml', good + 'access_log: no-folder/access\n'), /access log "no-folder/);
  fs.writeFileSync('config.yaml', good);
  await fails('there is no program', () => install(), /cannot start ".*bin-freshet": no such file/i);
  await fails('it is no program', () => install('\x7fnothing'), /cannot start ".*bin-freshet"|exit code 127/i);
  await fails('it ends at once', () => install('#!/bin/sh\necho no luck >&2\nexit 3\n'), /exit code 3; it said: no luck/);
  await fails('it ends at once, and well', () => install('#!/bin/sh\n'), /exit code 0/);
  await fails('it crashes', () => install('#!/bin/sh\nkill -SEGV $$\n'), /signal 11/);
  await fails('it dies with the store in its hands', () => install(speaker('T', 'exit 4;')), /exit code 4/);
  await fails('and again', () => install(speaker('T', 'kill "KILL", $$;')), /signal 9/);
  await cases.check('it says nothing: after half a minute it is ended', async () => {
    install(speaker('B', 'print STDERR "asleep\n"; sleep 1000;'));
    const verb = freshet.verb('upgrade');
    await freshet.saying('asleep');
    await freshet.advance('31s');
    const r = await verb;
    equal(r.status, 1);
    check(/not prepared in 30 seconds/.test(r.stderr), r.stderr);
    await still('silence');
  });
  // What is purged while another has the store is in force at once; the answer waits, until it is known whether that is durable.
  const purged = async () => {
    check(await hits('/kept'), 'hits go on');
    equal((await ask('/gone')).status, 200);
    check(await hits('/gone'), 'hits come up');
    const answer = freshet.api('POST', '/api/v1/purge', '{"cache_tags":["gone"]}');
    await soon(async () => !(await hits('/gone')));
    return answer.then((r) => {
      equal(r.status, 202);
      return JSON.parse(r.text).durable;
    });
  };
  await cases.check('while the store is given up, tokens and deploys cannot be changed, and that is said; what is purged is durable when it is back', async () => {
    install(speaker('T', 'print STDERR "has the store\n"; select(undef, undef, undef, 0.01) until -e "go"; exit 4;'));
    const verb = freshet.verb('upgrade');
    await freshet.saying('has the store');
    const r = await freshet.api('POST', '/api/v1/tokens', '{"name":"a","scopes":["read"]}');
    equal(r.status, 503);
    check(/ask once more/.test(r.text), r.text);
    const durable = purged();
    await freshet.saying('tag gone');
    fs.writeFileSync('go', '');
    equal(await durable, true);
    check(/exit code 4/.test((await verb).stderr), 'the verb');
    await still('given up');
  });
  await cases.check('it does not open the store: after a minute it is ended', async () => {
    install(speaker('T', 'print STDERR "has it now\n"; till("never");'));
    const verb = freshet.verb('upgrade');
    await freshet.saying('has it now');
    const durable = purged();
    await freshet.saying('tag gone', 2);
    equal((await ask('/new-meanwhile')).status, 200);
    await freshet.advance('6s');
    equal(await durable, false);
    await freshet.advance('55s');
    check(/had not opened the store in 60 seconds/.test((await verb).stderr), 'the verb');
    await still('given up');
  });
  await cases.check('asked for again and again while it fails: one after the other', async () => {
    install('#!/bin/sh\nexit 5\n');
    for (let i = 0; i < 3000 && (freshet.log().match(/exit code 5/g) ?? []).length < 20; i++) {
      freshet.signal('USR2');
      await new Promise((r) => setTimeout(r, 1));
    }
    await freshet.saying('exit code 5', 20);
    await soon(async () => !JSON.parse((await freshet.api('GET', '/api/v1/upgrade')).text).running);
    await still('again and again');
  });
  await cases.check('what was stored and purged after all that is there after a kill', async () => {
    install(real);
    await ask('/late');
    await freshet.settle();
    await soon(async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).facts.failing !== true);
    await freshet.upgrade();
    await freshet.drained();
    check(await hits('/late'), 'stored');
    check(await hits('/kept'), 'stored at first');
    check(await hits('/new-meanwhile'), 'stored while another had the store');
  });
  idle.close();
});
