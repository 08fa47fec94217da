// Only io/ and base/clock know the time, randomness and sockets, and only io/ knows libuv: all the rest can run in a
// simulated world.
import { bare, done, files, finding, lineOf, read } from './lib.mjs';

// A call is a name that is no member (a.send) and no part of a longer name.
const call = (names) => new RegExp(`(?<![\\w.>])(?:${names.join('|')})\\s*\\(`, 'g');
const rules = [
  {
    what: 'libuv',
    pattern: /\buv_\w+|#\s*include\s*<uv\.h>/g,
    at: (f) => f.startsWith('src/io/'),
  },
  {
    what: 'the time',
    pattern: call(['time', 'clock_gettime', 'gettimeofday', 'clock', 'sleep', 'usleep', 'nanosleep']),
    at: (f) => f.startsWith('src/io/') || f === 'src/base/clock.c',
  },
  {
    what: 'randomness',
    pattern: call(['s?rand', 'rand_r', 's?random', '[dlm]rand48', 'getrandom', 'getentropy', 'arc4random\\w*', 'RAND_bytes']),
    at: (f) => f.startsWith('src/io/'),
  },
  {
    what: 'sockets',
    pattern: call(['socket', 'socketpair', 'bind', 'listen', 'accept4?', 'connect', 'send', 'sendto', 'sendmsg', 'recv',
      'recvfrom', 'recvmsg', 'setsockopt', 'getaddrinfo', 'poll', 'select', 'epoll_\\w+']),
    at: (f) => f.startsWith('src/io/'),
  },
];
let seen = 0;

for (const file of files('.c', '.h')) {
  if (!file.startsWith('src/')) continue;
  seen++;
  const text = bare(read(file));
  for (const rule of rules) {
    if (rule.at(file)) continue;
    for (const m of text.matchAll(rule.pattern)) {
      finding(file, lineOf(text, m.index), `${m[0].trim()}: only io/ may know ${rule.what}`);
    }
  }
}
done('world', seen, 'sources');
