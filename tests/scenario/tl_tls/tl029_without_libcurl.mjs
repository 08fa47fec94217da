// libcurl, with which a CA is asked, is loaded only when an address has TLS. Where it cannot be, the log says what to install, and everything else goes on.
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, scenario } from '../lib.mjs';
import { address } from '../tls.mjs';

// What stands in its place for the process that is started.
fs.mkdirSync('libraries');
fs.writeFileSync('libraries/libcurl.so.4', '');
const mapped = (freshet) => fs.readFileSync(`/proc/${freshet.note('pid')}/maps`, 'utf8').includes('libcurl');
const yaml = (first) => (origin) => `${first}sites:\n  shop:\n    hosts: [shop.example]\n    origin: ${origin}\n`;
const with_tls = yaml(`https: ["${address}"]\nacme_directory: "https://127.0.0.1:1/dir"\n`);

await scenario({ yaml: yaml('') }, async ({ ask, cases, freshet, origin }) => {
  const page = async (path) => equal((await ask(path, { Host: 'shop.example' })).status, 200);
  await cases.check('without an address of https it is not loaded', async () => {
    await page('/');
    check(!mapped(freshet), 'it is loaded');
  });
  await cases.check('with one it is', async () => {
    await freshet.restart(['--yaml', with_tls(origin.url)]);
    check(mapped(freshet), 'it is not loaded');
    await page('/1');
  });
  await cases.check('where it cannot be, the log says so', async () => {
    process.env.LD_LIBRARY_PATH = path.resolve('libraries');
    await freshet.restart(['--yaml', with_tls(origin.url)]);
    delete process.env.LD_LIBRARY_PATH;
    await freshet.saying('acme: no certificates come by themselves: libcurl.so.4 cannot be used: .*file too short; install it \\(Debian: apt-get install libcurl4\\)');
    await page('/2');
  });
});
