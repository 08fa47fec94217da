// A token expires by the clock, says so, and no clock that is turned back revives it, not even over a restart.
// scenarios O32; hostile h3-17 (Purge API abuse)
import { check, equal, scenario } from '../lib.mjs';

await scenario({}, async ({ cases, freshet, origin }) => {
  const make = (name, expires) => {
    const r = freshet.run('token', 'create', '--name', name, '--scope', 'read', '--expires', expires);
    equal(r.status, 0, r.stderr);
    return r.stdout.trim();
  };
  const status = async (secret) => (await freshet.api('GET', '/api/v1/status', undefined, { authorization: `Bearer ${secret}` })).status;
  const hour = make('hour', '1h');
  const day = make('day', '1d');
  const month = make('month', '30d');
  await cases.check('it works until then', async () => {
    equal(await status(hour), 200);
    await freshet.advance('59m');
    equal(await status(hour), 200);
    await freshet.advance('2m');
    equal(await status(hour), 401);
    equal(await status(day), 200);
  });
  await cases.check('an expired one says so, to programs and to people', async () => {
    const r = await freshet.api('GET', '/api/v1/status', undefined, { authorization: `Bearer ${hour}` });
    check(/the token \\"hour\\" has expired, at 20..-..-..T.*freshet token create/.test(r.text), r.text);
    const verb = freshet.run('status', '--token', hour);
    equal(verb.status, 1);
    check(/^freshet status: the token "hour" has expired, at /.test(verb.stderr), verb.stderr);
    check(/^hour: .*; EXPIRED 20/m.test(freshet.run('token', 'list').stdout), 'in the list');
  });
  await cases.check('a wall clock that goes back revives none', async () => {
    await freshet.wall('-3h');
    equal(await status(hour), 401);
    equal(await status(day), 200);
  });
  await cases.check('nor does it lengthen one', async () => {
    await freshet.advance('23h'); // a day by the monotonic clock, less by the wall clock
    equal(await status(day), 401);
    equal(await status(month), 200);
  });
  await cases.check('a wall clock that goes forward ends one, and back does not revive it', async () => {
    await freshet.wall('31d');
    equal(await status(month), 401);
    await freshet.wall('-31d');
    equal(await status(month), 401);
  });
  await cases.check('nor does a restart with a clock of before', async () => {
    freshet.signal('TERM');
    equal(await freshet.status(), '0');
    await freshet.start(['--origin', origin.url]); // its clocks are not turned: a day earlier
    for (const secret of [hour, day, month]) equal(await status(secret), 401);
    check(/^month: .*; EXPIRED/m.test(freshet.run('token', 'list').stdout), 'in the list');
  });
});
