// Makes the app ready to run: installs what its lock file names and builds it, each only when something changed since.
// `node prepare.mjs` does just that; the demo and the tests call prepare(). Runs on Node 18 too, which then only steers.

import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const HERE = dirname(fileURLToPath(import.meta.url));
const OWN = ['client', 'astro'];

/** What the person at the terminal can do something about; shown without a stack. */
export class Trouble extends Error {}

/** Resolves to the path of a Node that runs the built app. */
export async function prepare(say) {
  const node = findNode();
  await install(say);
  await build(node, say);
  return node;
}

function findNode() {
  try {
    return execFileSync(join(HERE, 'find-node.sh'), {
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
    }).trim();
  } catch {
    throw new Trouble('There is no Node that can run the app; find-node.sh has said why.');
  }
}

async function install(say) {
  // npm writes its own copy of the lock file last, so that an interrupted install is seen as one.
  const installed = join(HERE, 'node_modules', '.package-lock.json');
  // freshet's own packages are copied by npm, so a change in them asks for a new copy.
  const wanted = [join(HERE, 'package-lock.json'), ...OWN.flatMap((name) => filesIn(join(HERE, '..', '..', 'integrations', name)))];
  if (existsSync(installed) && wanted.every((file) => statSync(installed).mtimeMs >= statSync(file).mtimeMs)) return;
  say('installing the app’s packages from the lock file (npm ci)');
  // npm's own patience is minutes; a person without a network should not wait for that long in front of nothing.
  const patience = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];
  const npm = await run('npm', [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...patience,
  ]);
  if (npm.error?.code === 'ENOENT') throw new Trouble('npm is not installed. On Debian: apt-get install npm');
  if (npm.status !== 0) {
    const code = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b/.exec(
      npm.output,
    )?.[1];
    const why = code
      ? `npm cannot reach its registry (${code}). The first start needs the network; later ones do not.`
      : 'npm ci failed:';
    throw new Trouble(code ? why : `${why}\n${npm.output.trim().split('\n').slice(0, 12).join('\n')}`);
  }
}

async function build(node, say) {
  const stamp = join(HERE, 'dist', '.built-from');
  const files = ['package-lock.json', 'astro.config.mjs', 'tsconfig.json'].map((name) => join(HERE, name));
  const own = OWN.flatMap((name) => filesIn(join(HERE, 'node_modules', '@freshet', name)));
  const wanted = digest([...files, ...own, ...filesIn(join(HERE, 'src')), ...filesIn(join(HERE, 'public'))]);
  if (isStamped(stamp, wanted) && existsSync(join(HERE, 'dist', 'server', 'entry.mjs'))) return;
  say('building the app (astro build)');
  rmSync(join(HERE, 'dist'), { recursive: true, force: true });
  const astro = await run(node, [join(HERE, 'node_modules', 'astro', 'bin', 'astro.mjs'), 'build'], {
    ASTRO_TELEMETRY_DISABLED: '1',
  });
  if (astro.status !== 0) throw new Trouble(`astro build failed:\n${astro.output.trim()}`);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

const isStamped = (stamp, wanted) => existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;

const filesIn = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [path];
  });

function digest(files) {
  const hash = createHash('sha256');
  for (const file of files.sort())
    hash
      .update(`${relative(HERE, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  return hash.digest('hex');
}

function run(command, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: HERE,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const end = () => child.kill();
    process.once('exit', end);
    child.on('close', () => process.removeListener('exit', end));
    let output = '';
    const keep = (chunk) => (output = (output + chunk).slice(-20000));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve({ error, status: null, output }));
    child.on('close', (status) => resolve({ status, output }));
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  prepare((text) => console.log(text)).catch((error) => {
    console.error(error instanceof Trouble ? error.message : error);
    process.exit(1);
  });
}
