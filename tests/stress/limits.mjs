// At the limits of an origin and of a connection: no more requests at the origin than allowed, and all are served or told why not; bytes behind an
// answer are nobody's answer; answers that are none are told as 502 and not kept; a crowd shares a failure; pipelined requests are answered in order.
import { Client, check, done, equal, gate, once, pause, reply, scaled, stress, within } from './lib.mjs';

{
  const wanted = scaled(200, 60);
  const answer = async (request, c) => {
    await pause(3);
    await c.write(reply(`page ${request.target}`, { 'Cache-Control': 's-maxage=60' }));
  };
  await stress(`${wanted} misses at once over four connections`, { answer, flags: ['--origin-connections', '4'] }, async ({ at, origin, freshet }) => {
    const got = await Promise.all(Array.from({ length: wanted }, (_, i) => once(at, `/${i}`)));
    got.forEach((r, i) => check(r.status === 200 && r.body.toString() === `page /${i}`, 'all are served', () => `${i}: ${r.status} ${r.fields['cache-status']}`));
    check(origin.most <= 4, 'the origin has four at once', origin.most);
    check(origin.most > 1, 'and more than one', origin.most);
    equal(origin.requests, wanted, 'each is asked for once');
    const g = await freshet.gauges();
    check(g.origin_connects_total <= 16, 'connections are used again', g.origin_connects_total);
  });
}

{
  let go_on = gate();
  const answer = async (request, c) => {
    await go_on.opened;
    await c.write(reply('page', { 'Cache-Control': 's-maxage=60' }));
  };
  await stress('more than may wait', { answer, flags: ['--origin-connections', '2', '--origin-queue', '10'] }, async ({ at, freshet }) => {
    const all = Array.from({ length: 40 }, (_, i) => once(at, `/${i}`));
    await freshet.until('some are refused', (g) => g.errors_total === 28);
    go_on.open();
    const got = await Promise.all(all);
    equal(got.filter((r) => r.status === 200).length, 12, 'two at the origin and ten that waited');
    check(got.every((r) => r.status === 200 || (r.status === 503 && /detail=origin-queue-full/.test(r.fields['cache-status']))), 'the others hear why',
      () => got.map((r) => r.status));
    // Who waits too long gives up; the others are served.
    go_on = gate();
    const first = [once(at, '/first-1'), once(at, '/first-2')];
    await freshet.until('two are at the origin', (g) => g.fetches_open === 2);
    const late = Array.from({ length: 5 }, (_, i) => once(at, `/late-${i}`));
    await freshet.until('five wait', (g) => g.fetches_open === 7);
    await freshet.advance(11_000);
    for (const r of await within('those who gave up', Promise.all(late))) {
      check(r.status === 503 && /detail=origin-queue-timeout/.test(r.fields['cache-status']), 'they waited too long', () => `${r.status} ${r.fields['cache-status']}`);
    }
    go_on.open();
    for (const r of await Promise.all(first)) equal(r.status, 200, 'those at the origin are answered');
    equal((await once(at, '/next')).status, 200, 'and the next one');
  });
}

{
  // One connection to the origin; two wait for it, one on each worker. It becomes free at the moment at which the first of them leaves: the
  // other one must not go on waiting.
  let answered = null; // called when the origin answers the first
  let release = null;
  const answer = async (request, c) => {
    if (request.target === '/who') return void (await c.write(reply('', { 'X-Worker': request.fields['x-request-id'].split('-')[1].length > 10 ? 1 : 0 })));
    if (request.target === '/first') await new Promise((r) => (release = r));
    const wrote = c.write(reply(request.target, { 'Cache-Control': 'no-store' }));
    if (request.target === '/first') answered();
    await wrote;
  };
  await stress('one who waits for the origin leaves', { answer, flags: ['--origin-connections', '1', '--idle-timeout', '1d'] }, async ({ at, freshet }) => {
    const post = (c, target) => c.send('POST', `POST ${target} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n`);
    const on = async (worker) => {
      for (;;) {
        const c = new Client(at);
        if (+(await post(c, '/who')).fields['x-worker'] === worker) return c;
        c.close();
      }
    };
    const first = await on(0);
    const other = await on(1);
    for (let round = 0; round < scaled(60, 20); round++) {
      const leaver = await on(0);
      const one = post(first, '/first');
      await freshet.until('the first is at the origin', (g) => g.fetches_open === 1 && release);
      post(leaver, '/leaver');
      await freshet.until('the second waits', (g) => g.fetches_open === 2);
      const waiter = post(other, '/waiter');
      await freshet.until('the third waits', (g) => g.fetches_open === 3);
      const both = gate();
      answered = () => {
        if (round % 3 === 0) leaver.close();
        both.open();
      };
      if (round % 3 === 1) leaver.close();
      release();
      release = null;
      await both.opened;
      if (round % 3 === 2) leaver.close();
      equal((await within('the first', one)).body.toString(), '/first', 'the first is answered');
      const r = await within('the third', waiter, 5000);
      equal(r.body.toString(), '/waiter', 'the third has its turn');
    }
    first.close();
    other.close();
  });
}

{
  // The head alone, then the body together with what nobody asked for: the next request is already waiting for the connection.
  const answer = async (request, c) => {
    const body = `for ${request.fields['x-token']}`;
    await c.write(`HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: ${body.length}\r\n\r\n`);
    await pause(2);
    await c.write(`${body}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmore`);
  };
  await stress('bytes behind an answer', { answer, flags: ['--origin-connections', '1'] }, async ({ at }) => {
    const got = await Promise.all(Array.from({ length: 40 }, (_, i) => once(at, '/', { 'X-Token': i })));
    got.forEach((r, i) => check(r.status === 502 || r.body.toString() === `for ${i}`, 'nobody takes them for his answer', () => `${i}: ${r.body}`));
    check(got.filter((r) => r.status === 200).length > 20, 'and the others are answered', () => got.map((r) => r.status));
  });
}

{
  // What comes instead of an answer; then the connection ends, unless it stays open.
  const bad = {
    nothing: '', words: 'hello\r\n\r\n', half: 'HTTP/1.1 200 OK\r\nContent-Le', version: 'HTTP/2.0 200 OK\r\n\r\n', status: 'HTTP/1.1 20 OK\r\n\r\n',
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd', 'no number': 'HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\nabc',
    both: 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n', fold: 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n',
    nul: 'HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 0\r\n\r\n', large: `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(200_000)}\r\nContent-Length: 0\r\n\r\n`,
    many: `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(5000)}Content-Length: 0\r\n\r\n`, switch: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    interims: 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(2000), 'not asked': 'HTTP/1.1 304 Not Modified\r\n\r\n',
  };
  const cut = {
    length: 'HTTP/1.1 200 OK\r\nCache-Control: s-maxage=60\r\nContent-Length: 100\r\n\r\nabc', chunk: 'HTTP/1.1 200 OK\r\nCache-Control: s-maxage=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab',
    'no last chunk': 'HTTP/1.1 200 OK\r\nCache-Control: s-maxage=60\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n', 'bad chunk': 'HTTP/1.1 200 OK\r\nCache-Control: s-maxage=60\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n',
  };
  let good = false;
  const answer = async (request, c) => {
    const [, kind, name, how] = decodeURIComponent(request.target).split('/');
    if (good) return void (await c.write(reply(`good ${name}`, { 'Cache-Control': 's-maxage=60' })));
    await c.write((kind === 'bad' ? bad : cut)[name]);
    if (how === 'reset') c.socket.resetAndDestroy();
    else c.end();
  };
  await stress('answers that are none', { answer }, async ({ at, freshet }) => {
    const all = [];
    for (const [kind, list] of [['bad', bad], ['cut', cut]]) {
      for (const name of Object.keys(list)) for (const how of ['end', 'reset']) all.push({ kind, name, how, target: `/${kind}/${encodeURIComponent(name)}/${how}` });
    }
    // Several at once: joiners share the failure.
    for (let round = 0; round < 3; round++) {
      await Promise.all(all.map(async ({ kind, name, how, target }) => {
        for (const r of await within(target, Promise.all([1, 2, 3, 4].map(() => once(at, target))))) {
          if (kind === 'bad') check(r.status === 502, 'a 502', () => `${name}, ${how}: ${r.status}`);
          else check(r.cut || r.status === 502, 'a cut body does not look whole', () => `${name}, ${how}: ${r.status} ${r.body}`);
        }
      }));
    }
    await freshet.settle();
    good = true;
    for (const { name, target } of all) {
      const r = await once(at, target);
      equal(r.body.toString(), `good ${name}`, 'nothing of it was kept');
    }
  });
}

{
  // An origin that fails while a crowd waits: the crowd shares the failure, or gets the stale page where that is allowed; then all is well again.
  let failing = null;
  const answer = async (request, c) => {
    await pause(2);
    if (failing === 'close') return void c.destroy();
    if (failing) return void (await c.write(reply('oh', { 'Cache-Control': 's-maxage=60' }, `${failing} Oh`)));
    const life = request.target.startsWith('/spare') ? 's-maxage=1, stale-if-error=600' : 's-maxage=1';
    await c.write(reply(`page ${request.target}`, { 'Cache-Control': life }));
  };
  await stress('an origin that fails while a crowd waits', { answer }, async ({ at, freshet, origin }) => {
    const crowd = (target) => within(`the crowd of ${target}`, Promise.all(Array.from({ length: 40 }, () => once(at, target))));
    for (const how of [500, 503, 'close']) {
      failing = how;
      const before = origin.requests;
      for (const r of await crowd(`/cold-${how}`)) equal(r.status, how === 'close' ? 502 : how, 'the failure is told');
      check(origin.requests - before <= 50, 'it is not asked more often than there are visitors', origin.requests - before);
      failing = null;
      for (const target of [`/cold-${how}`, `/spare-${how}`, `/bare-${how}`]) equal((await once(at, target)).body.toString(), `page ${target}`, 'the failure was not kept');
      await freshet.settle();
      await freshet.advance(2000);
      failing = how;
      for (const r of await crowd(`/spare-${how}`)) check(r.status === 200 && /stale-error/.test(r.fields['cache-status']), 'the stale page', () => `${r.status} ${r.fields['cache-status']}`);
      for (const r of await crowd(`/bare-${how}`)) equal(r.status, how === 'close' ? 502 : how, 'no stale page without permission');
      failing = null;
      await freshet.settle();
      // The one that may not be stale comes first: its answer makes the origin well, so that the other is not sent its stale page at once.
      for (const target of [`/bare-${how}`, `/spare-${how}`]) {
        const r = await once(at, target);
        check(r.body.toString() === `page ${target}` && !/stale-error/.test(r.fields['cache-status']), 'all is well again', r.fields['cache-status']);
      }
    }
  });
}

{
  const answer = async (request, c) => {
    if (/[02468]$/.test(request.target)) await pause(2);
    const pass = request.target.startsWith('/pass');
    if (request.method === 'POST') return void (await c.write(reply(`got ${request.body}`, { 'Cache-Control': 'no-store' })));
    await c.write(reply(`${request.method} ${request.target}`, { 'Cache-Control': pass ? 'no-store' : 's-maxage=60' }));
  };
  await stress('pipelined requests are answered in order', { answer }, async ({ at, freshet }) => {
    const n = scaled(1000, 200);
    const clients = Array.from({ length: 4 }, () => new Client(at));
    await Promise.all(clients.map(async (c, k) => {
      const asked = [];
      for (let i = 0; i < n / 4; i++) {
        const kind = (i * 7 + k) % 5;
        if (kind === 0) asked.push([`got body ${k} ${i}`, c.send('POST', `POST /post HTTP/1.1\r\nHost: test\r\nContent-Length: ${`body ${k} ${i}`.length}\r\n\r\nbody ${k} ${i}`)]);
        else if (kind === 1) asked.push(['', c.ask(`/page-${i % 20}`, {}, { method: 'HEAD' })]);
        else if (kind === 2) asked.push([`GET /pass-${k}-${i}`, c.ask(`/pass-${k}-${i}`)]);
        else asked.push([`GET /page-${i % 20}`, c.ask(`/page-${i % 20}`)]);
      }
      for (const [should, r] of asked) {
        const got = await within('an answer', r);
        check(got.status === 200 && got.body.toString() === should, 'each gets his own, in order', () => `${got.status} ${got.body} instead of ${should}`);
      }
      check(!c.ended, 'on one connection');
      c.close();
    }));
    const g = await freshet.gauges();
    equal(g.client_connections_accepted_total, 4, 'four connections');
    // A head in pieces, an empty line in front, and the next request in the same packet.
    const c = new Client(at);
    const bytes = '\r\nGET /page-1 HTTP/1.1\r\nHost: test\r\n\r\nGET /page-2 HTTP/1.1\r\nHost: test\r\n\r\n';
    const two = [c.send('GET', ''), c.send('GET', '')];
    for (const b of bytes) {
      c.socket.write(b);
      await new Promise(setImmediate);
    }
    equal((await within('the first', two[0])).body.toString(), 'GET /page-1', 'byte by byte');
    equal((await within('the second', two[1])).body.toString(), 'GET /page-2', 'byte by byte');
    c.close();
  });
}

{
  // A page that is not kept and a range far behind its window.
  const body = Buffer.from(Array.from({ length: 400_000 }, (_, i) => i % 251));
  const answer = async (request, c) => {
    const chunked = request.target.includes('chunked');
    await c.write(`HTTP/1.1 200 OK\r\nCache-Control: ${request.target.includes('large') ? 's-maxage=60' : 'no-store'}\r\n` +
      (chunked ? 'Transfer-Encoding: chunked\r\n\r\n' : `Content-Length: ${body.length}\r\n\r\n`));
    for (let i = 0; i < body.length; i += 10_000) {
      const piece = body.subarray(i, i + 10_000);
      if (chunked) await c.write(`${piece.length.toString(16)}\r\n`);
      await c.write(piece);
      if (chunked) await c.write('\r\n');
    }
    if (chunked) await c.write('0\r\n\r\n');
  };
  await stress('ranges beyond the window', { answer, flags: ['--window-bytes', '16K', '--object-bytes', '100000'] }, async ({ at, freshet }) => {
    await Promise.all(Array.from({ length: scaled(60, 20) }, async (_, i) => {
      const first = (i * 37_813) % 390_000;
      const target = `/${['large', 'private', 'large-chunked', 'private-chunked'][i % 4]}-${i % 7}`;
      const r = await within('a range', once(at, target, { Range: `bytes=${first}-${first + 5000}` }));
      if (r.status === 206) check(r.body.equals(body.subarray(first, first + 5001)), 'the range, byte for byte', target);
      else check(r.status === 200 && r.body.equals(body), 'or the whole', () => `${target} ${r.status} ${r.body.length}`);
    }));
    await freshet.settle();
    equal((await freshet.gauges()).passing_bytes, 0, 'nothing is left of what passed');
  });
}
done();
