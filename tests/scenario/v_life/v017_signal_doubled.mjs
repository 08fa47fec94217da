// SIGTERM that comes twice at once is one wish to drain; one that comes later, or another signal, is the wish to end at once.
// DESIGN "Files and processes"
import { check, equal, Freshet, gate, Raw, reply, request, scenario } from '../lib.mjs';

const open = gate();
const answer = async () => {
  await open.opened;
  return reply('whole');
};

await scenario({ answer }, async ({ cases, origin, arrived }) => {
  let held = 0;
  // A freshet of its own with a visitor whose answer is held up, and which drains.
  const draining = async (name) => {
    const it = new Freshet(name);
    await it.start(['--origin', origin.url]);
    const visitor = new Raw(`${name}/front`);
    await visitor.send(request('/'));
    await arrived(++held);
    it.signal('TERM');
    await it.saying('draining');
    return { it, visitor };
  };
  const endsAtOnce = async ({ it, visitor }) => {
    await it.saying('stopping at once');
    await visitor.closed();
    equal(visitor.text, '');
    equal(await it.status(), '1');
    it.note('ended', 'KILL'); // no orderly end
  };

  await cases.check('a second later it ends at once', async () => {
    const late = await draining('late');
    await late.it.advance('1s');
    late.it.signal('TERM');
    await endsAtOnce(late);
  });
  await cases.check('another signal ends at once', async () => {
    const other = await draining('other');
    other.it.signal('INT');
    await endsAtOnce(other);
  });

  let doubled;
  await cases.check('the same signal at once changes nothing', async () => {
    // On a machine so slow that a second passes meanwhile it shows nothing: once more.
    for (let i = 0; !doubled; i++) {
      const began = performance.now();
      const one = await draining(`doubled${i}`);
      one.it.signal('TERM');
      await one.it.saying('twice within a second|stopping at once');
      if (/stopping at once/.test(one.it.log()) && performance.now() - began > 1000) {
        await endsAtOnce(one);
        continue;
      }
      check(/SIGTERM came twice within a second/.test(one.it.log()), one.it.log());
      doubled = one;
    }
  });
  open.open();
  await cases.check('the visitor is answered, status 0', async () => {
    equal((await doubled.visitor.answers())[0].body, 'whole');
    equal(await doubled.it.status(), '0');
  });
});
