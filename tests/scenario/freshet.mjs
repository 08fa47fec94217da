// The hand that turns things in varnishtest files: see README.md for the verbs.
import { Freshet } from './lib.mjs';

let [verb, ...args] = process.argv.slice(2);
let folder = '.';
if (verb === '--name') [folder, verb, ...args] = args;
const freshet = new Freshet(folder);

const verbs = {
  start: () => freshet.start(args),
  advance: () => freshet.advance(args[0]),
  wall: () => freshet.wall(args[0]),
  gauges: async () => console.log(JSON.stringify(await freshet.gauges(), null, 1)),
  until: () => freshet.until(...args),
  settle: () => freshet.settle(),
  signal: () => freshet.signal(args[0]),
  status: async () => console.log(await freshet.status()),
  stop: () => freshet.stop(),
  // A token or a header of one's own: `api POST /api/v1/purge '{}' 'Authorization: Bearer x'`
  async api() {
    const [method, target, body, ...fields] = args;
    const r = await freshet.api(method, target, body === '' ? undefined : body,
      Object.fromEntries(fields.map((f) => f.split(/: */, 2))));
    console.log(`${r.status}\n${r.text}`);
  },
  run() {
    const r = freshet.run(...args);
    process.stdout.write(r.stdout);
    process.stderr.write(r.stderr);
    process.exitCode = r.status ?? 70;
  },
  grep() {
    if (!new RegExp(args[0], 'm').test(freshet.log())) throw new Error(`the log does not say ${args[0]}:\n${freshet.log()}`);
  },
  // Waits until the log says it, so many times: `saying reloaded 2`.
  saying: () => freshet.saying(args[0], +(args[1] ?? 1)),
  nogrep() {
    const m = new RegExp(args[0], 'm').exec(freshet.log());
    if (m) throw new Error(`the log says ${m[0]}`);
  },
};

if (!verbs[verb]) {
  console.error(`no verb ${verb}; there are ${Object.keys(verbs).join(', ')}`);
  process.exit(2);
}
try {
  await verbs[verb]();
} catch (e) {
  console.error(`freshet.mjs ${verb}: ${e.message}`);
  process.exitCode = 1;
}
