// node demo.mjs [FRESHET]: the bookshelf, its CMS and freshet before it, until Ctrl-C. FRESHET is the program's path
// (also the variable FRESHET; default ../../build/freshet). VERBOSE=1 shows what the three print.

import { isAbsolute, join, resolve } from 'node:path';
import { HERE, Trouble, prepare } from './prepare.mjs';
import { Stack } from './stack.mjs';

const { env } = process;
let ending = false;

function port(variable, fallback) {
  const text = env[variable] ?? String(fallback);
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65535)
    throw new Trouble(`${variable}=${text} is no port number.`);
  return Number(text);
}

function showTour({ site, secure, state, cms, app, freshet }) {
  const look = (path) => `curl -sD- -o /dev/null ${site}${path} | grep -i cache-status`;
  console.log(`
  the site, through freshet   ${site}/
  the same over TLS           ${secure}/   # browsers believe it after: ${freshet} trust --state ${state}
  the CMS: edit and publish   ${cms}/
  the app itself, uncached    ${app}/

  A tour, in another terminal:
  1. ${look('/books/emma')}   # a miss: rendered now
  2. ${look('/books/emma')}   # a hit, for a year, or until
  3. you change that book at ${cms}/edit/book/bk-emma and publish: its webhook purges what shows it
  4. ${look('/books/emma')}   # a miss again; so are /author/jane-austen, and / in every sorting; other books are hits as before
  5. curl -s ${app}/api/renders.json   # how often the app had to render what

  Ctrl-C ends all three.
`);
}

async function main() {
  const given = process.argv[2] ?? env.FRESHET ?? join(HERE, '..', '..', 'build', 'freshet');
  const freshet = isAbsolute(given) ? given : resolve(given);
  const ports = {
    site: port('FRESHET_PORT', 8080),
    https: port('FRESHET_HTTPS_PORT', 8443),
    admin: port('FRESHET_ADMIN_PORT', 8081),
    app: port('APP_PORT', 4321),
    cms: port('CMS_PORT', 4322),
  };
  const say = (text) => console.log(`demo: ${text}`);

  let stack;
  const end = async (status) => {
    if (ending) return;
    ending = true;
    await stack?.stop();
    process.exit(status);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(0));

  const node = await prepare(say);
  if (ending) return;
  stack = new Stack({
    freshet,
    node,
    ports,
    folder: env.DEMO_DATA ?? join(HERE, 'data'),
    onLine: (name, line) => env.VERBOSE && console.log(`${name}: ${line}`),
    onDeath: (message) => {
      console.error(`demo: ${message}\ndemo: ending the others`);
      end(1);
    },
  });
  await stack.start();
  showTour(stack);
}

main().catch((error) => {
  // Whatever fails because we are ending already is no news.
  if (ending) return;
  console.error(error instanceof Trouble ? `demo: ${error.message}` : error);
  process.exit(1);
});
