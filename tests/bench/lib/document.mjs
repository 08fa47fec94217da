// docs/BENCHMARKS.md, made of the latest results of each table (out/*.json) and of what people wrote about them (notes.md).
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { peers } from './peers.mjs';
import { number, table } from './text.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const usual = { out: path.join(here, '../out'), notes: path.join(here, '../notes.md'), document: path.join(here, '../../../docs/BENCHMARKS.md') };

// Sections of notes.md by their heading: a table's name, or `musts`.
function sections(file) {
  const found = {}, text = fs.readFileSync(file, 'utf8');
  for (const m of text.matchAll(/^## (\S+)\n([\s\S]*?)(?=^## |(?![\s\S]))/gm)) found[m[1]] = m[2].trim();
  return found;
}

export function store(name, result, { out } = usual) {
  fs.mkdirSync(out, { recursive: true });
  fs.writeFileSync(path.join(out, `${name}.json`), JSON.stringify(result, null, 1) + '\n');
}

function load(name, out) {
  const file = path.join(out, `${name}.json`);
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : undefined;
}

// How far results of different runs belong together: each section says what is its own.
function about(r) {
  return `${r.when.slice(0, 16).replace('T', ' ')} UTC, freshet ${r.versions.peers.freshet}, ${r.rounds} rounds of ${r.seconds} s, load before: ${number(r.load)}`;
}

function mustTable(list) {
  return table(['what', 'must', 'measured', 'holds'], list.map((m) => [m.what, m.must, m.measured, m.holds ? 'yes' : '**no**']));
}

// Results that an older bench has left may have another form.
function readable({ t, r }) {
  try {
    t.render(r.data);
    t.musts?.(r.data);
    return true;
  } catch (e) {
    console.error(`${t.name}: its kept results cannot be read (${e.message}): measure it again`);
    return false;
  }
}

// Other files than the usual ones are for tests. Returns the document's name and what must hold.
export function write(tables, { out, notes, document } = usual) {
  const results = tables.map((t) => ({ t, r: load(t.name, out) })).filter((x) => x.r && readable(x)), note = sections(notes);
  if (results.length === 0) throw new Error('no results yet');
  const { machine: m, versions: v } = results.reduce((a, b) => (a.r.when > b.r.when ? a : b)).r;
  const musts = results.flatMap(({ t, r }) => t.musts?.(r.data) ?? []);
  const parts = [`# Benchmarks

Written by \`make bench\`: do not edit. What people have to say about the figures is kept in \`tests/bench/notes.md\` and
merged in. How it is measured: [tests/bench](../tests/bench/README.md).

- Machine: ${m.cpu}${m.virtual ? ' (virtual machine)' : ''}, ${m.cores} cores, ${m.memory} GB; ${m.system}, Linux ${m.kernel}.
- Load and servers share the machine and talk over loopback: absolute figures are this machine's, ratios are of one run.
- ${Object.entries(v.peers).filter(([n]) => n !== 'freshet_epoll').map(([n, x]) => `${peers[n].title} ${x}`).join('; ')}; ${m.compiler}; wrk ${v.tools.wrk}.`,
  `## What must hold\n\n${mustTable(musts)}`];
  if (note.musts) parts.push(note.musts);
  for (const { t, r } of results) {
    parts.push(`## ${t.title}\n\n\`make bench TABLES=${t.name}\`: ${about(r)}.\n\n${t.render(r.data)}`);
    if (note[t.name]) parts.push(note[t.name]);
  }
  fs.writeFileSync(document, parts.join('\n\n') + '\n');
  return { document, musts };
}
