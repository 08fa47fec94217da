// The answer to a method that is registered as safe makes nothing stale, whatever it is; that to any other one does.
// CACHING.md 5.5
import { equal, reply, scenario } from '../lib.mjs';

const answer = (r) => reply(r.method === 'HEAD' ? '' : 'x', { 'Cache-Control': 'max-age=60', 'Cache-Groups': '"g"', ...(r.method === 'GET' ? {} : { Location: '/other', 'Cache-Group-Invalidation': '"g"' }) },
  r.method === 'PROPFIND' ? '207 Multi-Status' : '200 OK');
await scenario({ answer }, async ({ ask, cases }) => {
  const stored = async (path) => (await ask(path)).fields['cache-status'].startsWith('freshet; hit');
  const rows = { PROPFIND: true, REPORT: true, SEARCH: true, QUERY: true, OPTIONS: true, HEAD: true, POST: false, PUT: false, PATCH: false, DELETE: false, PROPPATCH: false, MKCOL: false, LOCK: false, propfind: false, UNLINK: false };
  for (const [method, safe] of Object.entries(rows)) {
    await cases.check(`${method} ${safe ? 'invalidates nothing' : 'invalidates'}`, async () => {
      const path = `/${method}`;
      for (const p of [path, '/other']) await ask(p);
      const r = await ask(path, {}, { method, body: /HEAD|OPTIONS/.test(method) ? '' : 'x' });
      equal(r.status, method === 'PROPFIND' ? 207 : 200);
      for (const p of [path, '/other']) equal(await stored(p), safe, p);
    });
  }
});
