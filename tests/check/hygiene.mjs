// The project stands alone: no file names a folder of somebody's machine or a package mirror of somebody's network.
import { done, files, finding, read } from './lib.mjs';

// Written so that this file does not find itself.
const folders = new RegExp(`(?<![\\w.$})~-])/(?:${['work', 'home', 'root', 'Users'].join('|')})/\\w`);
const scratch = new RegExp(`/tmp${'/'}b-`);
const mirror = /https?:\/\/(?!registry\.npmjs\.org\b)[^\s"'`/]*(?:registry|mirror|artifactory|nexus)[^\s"'`/]*/i;
const lock = /(^|\/)(package-lock|npm-shrinkwrap)\.json$/;
let seen = 0;

for (const file of files()) {
  const text = read(file);
  if (text.includes('\0')) continue; // bytes, not text
  seen++;
  text.split('\n').forEach((line, i) => {
    if (folders.test(line) || scratch.test(line)) finding(file, i + 1, 'names a folder of one machine');
    if (mirror.test(line)) finding(file, i + 1, 'names a package mirror');
    const resolved = lock.test(file) && /"resolved":\s*"([^"]*)"/.exec(line);
    if (resolved && !/^https:\/\/registry\.npmjs\.org\//.test(resolved[1]) && /^\w+:\/\//.test(resolved[1])) {
      finding(file, i + 1, 'a package from elsewhere than registry.npmjs.org');
    }
  });
}
done('hygiene', seen, 'files');
