// A purge that cannot be made now is a 503, and the same delivery, sent again, purges: it was not taken.
// CACHING.md 5.8
import crypto from 'node:crypto';
import { check, equal, reply, scenario } from '../lib.mjs';

const yaml = (url) => `origin: ${url}\npurge_rate: 1\nwebhooks:\n  - {path: /hook, sender: github, secret: the-secret, tags: ["{id}"]}\n`;
await scenario({ answer: () => reply('x'), yaml }, async ({ ask, cases, freshet }) => {
  const deliver = (id) => {
    const body = JSON.stringify({ id });
    const fields = { 'X-Hub-Signature-256': `sha256=${crypto.createHmac('sha256', 'the-secret').update(body).digest('hex')}`, 'X-GitHub-Delivery': id };
    return ask('/hook', fields, { method: 'POST', body });
  };
  await cases.check('too many in a second are 503, and come again', async () => {
    const late = [];
    for (let i = 0; i < 20 && late.length < 2; i++) {
      const r = await deliver(`d${i}`);
      if (r.status === 200) continue;
      equal(r.status, 503, r.body);
      equal(r.fields['retry-after'], '1');
      late.push(`d${i}`);
    }
    equal(late.length, 2, 'deliveries that were too many');
    for (const id of late) {
      await freshet.advance('2s');
      const r = await deliver(id);
      equal(r.status, 200, r.body);
      equal(JSON.parse(r.body).purged, `site default: tag ${id}`);
      equal(JSON.parse((await deliver(id)).body).purged, 'nothing: this delivery was taken before');
    }
  });
  await cases.check('the log of deliveries has them', async () => {
    const { latest } = JSON.parse((await freshet.api('GET', '/api/v1/status')).text).webhooks;
    check(latest.some((l) => l.status === 503), JSON.stringify(latest));
  });
});
