// Sockets that systemd passes (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES) are used for the addresses that they are bound to, and go over to the next
// process; who connected before freshet ran is answered. One that is for no address, or does not listen, is named, and freshet does not start.
// scenarios V15
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { check, equal, Freshet, Raw, reply, request, scenario } from '../lib.mjs';

const real = process.env.FRESHET;
const wrapper = path.resolve('activated');
// Binds what SOCKETS says, waits until GO is there, and becomes freshet.
fs.writeFileSync(wrapper, `#!/bin/sh
[ "$1" = run ] || exec ${real} "$@"
exec perl -e 'use Socket; $^F = 50; my (@keep, @names);
for (split /,/, $ENV{SOCKETS}) {
  my ($name, $type, $at) = split /=/, $_, 3; my $s; my $kind = $type eq "dgram" ? SOCK_DGRAM : SOCK_STREAM;
  if ($at =~ m{^/}) { socket($s, AF_UNIX, $kind, 0) or die; bind($s, sockaddr_un($at)) or die "$at: $!"; }
  else { socket($s, AF_INET, $kind, 0) or die; setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1); bind($s, sockaddr_in($at, inet_aton("127.0.0.1"))) or die "$at: $!"; }
  if ($type eq "stream") { listen($s, 100) or die; }
  push @keep, $s; push @names, $name;
}
select(undef, undef, undef, 0.01) until !$ENV{GO} || -e $ENV{GO};
$ENV{LISTEN_PID} = $ENV{FOR} || $$; $ENV{LISTEN_FDS} = @keep; $ENV{LISTEN_FDNAMES} = join ":", @names;
exec { "${real}" } "${real}", @ARGV or die' -- "$@"
`, { mode: 0o755 });

await scenario({ answer: (r) => reply(r.target, { 'Cache-Control': 'max-age=600' }) }, async ({ ask, cases, origin }) => {
  process.env.FRESHET = wrapper;
  const port = 18000 + process.pid % 1000;
  const folder = (name) => { fs.mkdirSync(name); return path.resolve(name); };
  await cases.check('they are used, for a site and for the admin listener, and go over', async () => {
    const at = folder('good');
    process.env.SOCKETS = `front=stream=${at}/front,admin=stream=${at}/admin,web=stream=${port}`;
    process.env.GO = `${at}/go`;
    const f = new Freshet('good');
    const started = f.start(['--origin', origin.url, '--listen', `unix:${at}/front`, '--listen', `127.0.0.1:${port}`, '--workers', '2']);
    let early;
    for (;;) { // the socket is there long before freshet
      early = new Raw('good/front');
      if (await new Promise((r) => early.socket.once('connect', () => r(true)).once('error', () => r(false)))) break;
    }
    await early.send(request('/early'));
    const inode = fs.statSync(`${at}/front`).ino;
    fs.writeFileSync(process.env.GO, '');
    equal((await early.answers(1))[0].body, '/early');
    early.close();
    await started;
    const get = async (where, target) => {
      const c = new Raw(where);
      await c.send(request(target));
      const r = (await c.answers(1))[0];
      c.close();
      return r;
    };
    equal((await get({ host: '127.0.0.1', port }, '/web')).body, '/web');
    equal((await f.api('GET', '/api/v1/status')).status, 200);
    await f.upgrade();
    await f.drained();
    check(/hit/.test((await get({ host: '127.0.0.1', port }, '/web')).fields['cache-status']), 'after an upgrade');
    check(/hit/.test((await get('good/front', '/early')).fields['cache-status']), 'after an upgrade, by the other socket');
    equal(fs.statSync(`${at}/front`).ino, inode, 'the same socket');
    await f.stop();
  });
  delete process.env.GO;
  const fails = (name, sockets, pattern) => cases.check(name, async () => {
    const at = folder(name.replaceAll(' ', '-'));
    process.env.SOCKETS = sockets(at);
    const f = new Freshet(at);
    const e = await f.start(['--origin', origin.url]).catch((x) => x);
    check(/ended at once, status 1/.test(e.message) && pattern.test(e.message), e.message);
    f.note('ended', 'TERM');
  });
  await fails('one for no address', (at) => `front=stream=${at}/front,stray=stream=${at}/stray`, /the socket unix:\S+stray \(stray\) that the supervisor has passed is for no address; name it with --listen/);
  await fails('one that is no stream', (at) => `front=stream=${at}/front,dg=dgram=${at}/dg`, /descriptor 4 \(dg\) of LISTEN_FDS is no listening stream socket; see that the socket unit/);
  await fails('one that does not listen', (at) => `mute=idle=${at}/front`, /descriptor 3 \(mute\) of LISTEN_FDS is no listening stream socket/);
  await cases.check('those of another process are not touched', async () => {
    const at = folder('other');
    process.env.SOCKETS = `stray=stream=${at}/stray`;
    process.env.FOR = '1';
    const f = new Freshet('other');
    await f.start(['--origin', origin.url]);
    delete process.env.FOR;
    f.signal('TERM');
    equal(await f.status(), '0');
  });
  process.env.FRESHET = real;
  equal((await ask('/end')).body, '/end');
});
