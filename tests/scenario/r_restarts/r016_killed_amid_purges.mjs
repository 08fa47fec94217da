// Killed at any moment amid purges, and started again: each purge that was answered is there, no other than those that were asked for,
// and numbers go on above all that were given.
// scenarios O10
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const rounds = 6, clients = 12;
await scenario({ answer: () => reply('x') }, async ({ cases, freshet, origin }) => {
  const names = async () => +/^freshet_purged_names (\d+)$/m.exec((await freshet.api('GET', '/metrics')).text)[1];
  let asked = 0, acknowledged = 0, highest = 0;
  // Purges one tag after the other, each its own, until the process has gone.
  const purges = async () => {
    for (;;) {
      const r = await freshet.api('POST', '/api/v1/purge', JSON.stringify({ cache_tags: [`t${asked++}`] })).catch(() => undefined);
      if (!r?.text) return;
      const said = JSON.parse(r.text);
      equal(said.durable, true);
      acknowledged++;
      highest = Math.max(highest, said.sequence);
    }
  };
  for (let round = 0; round < rounds; round++) {
    await cases.check(`round ${round}`, async () => {
      const before = acknowledged, all = Array.from({ length: clients }, purges);
      await soon(() => acknowledged >= before + 5 + Math.random() * 60);
      freshet.signal('KILL');
      await Promise.all(all);
      await soon(() => freshet.note('status') !== undefined);
      await freshet.start(['--origin', origin.url]);
      const there = await names();
      check(there >= acknowledged && there <= asked, `${there} names of ${acknowledged} acknowledged and ${asked} asked for`);
      const next = JSON.parse((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ cache_tags: [`t${asked++}`] }))).text);
      acknowledged++;
      check(next.sequence > highest, `${next.sequence} after ${highest}`);
      highest = next.sequence;
    });
  }
});
