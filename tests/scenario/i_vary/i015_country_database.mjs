// country= varies on the visitor's country, by the address that a trusted proxy gives; what a visitor says counts for nothing.
// CACHING.md 4 "Netlify-Vary"
import fs from 'node:fs';
import { equal, reply, scenario } from '../lib.mjs';
import { mmdb } from '../mmdb.mjs';

let n = 0;
const answer = (r) => reply(`page ${++n} ${r.fields['x-country'] ?? 'none'}`, { 'Cache-Control': 'max-age=60', 'Netlify-Vary': 'country=de+at|us' });

// The code stands where MaxMind and DB-IP have it, or where ip-location-db has it, in any case.
fs.writeFileSync('countries.mmdb', mmdb({
  '192.0.2.0/25': { country: { iso_code: 'DE' } },
  '192.0.2.128/25': { country_code: 'at' },
  '198.51.100.0/24': { registered_country: { iso_code: 'US' } },
  '203.0.113.0/24': { country: { iso_code: 'FR' } },
  '203.0.112.0/24': { continent: { code: 'EU' } },
  '2001:db8:1::/48': { country: { iso_code: 'DE' } },
  '2001:db8:2::/48': { country_code: 'US' },
}));

await scenario({ answer, flags: ['--country-database', 'countries.mmdb', '--trusted-proxies', 'unix'] }, async ({ ask, cases, freshet, origin }) => {
  const from = (address, more = {}) => ask('/p', { 'X-Forwarded-For': address, ...more });
  const first = {};
  await cases.check('the first of each group is asked for at the origin, which hears the country', async () => {
    for (const [group, address, country] of [['de', '192.0.2.1', 'DE'], ['us', '198.51.100.7', 'US'], ['rest', '203.0.113.9', 'FR']]) {
      first[group] = (await from(address)).body;
      equal(first[group], `page ${n} ${country}`);
    }
    equal(n, 3);
  });
  for (const [what, address, group] of [
    ['the other half of the network', '192.0.2.127', 'de'],
    ['another country of the same group', '192.0.2.200', 'de'],
    ['IPv6', '2001:db8:1:2::3', 'de'],
    ['IPv4 in IPv6', '::ffff:192.0.2.5', 'de'],
    ['IPv6 of another group', '2001:db8:2::1', 'us'],
    ['a country of no group', '203.0.113.200', 'rest'],
    ['an address that is in no network', '8.8.8.8', 'rest'],
    ['a record without a country', '203.0.112.1', 'rest'],
  ]) {
    await cases.check(`${what} gets the page of its group`, async () => {
      const r = await from(address);
      equal(r.body, first[group]);
      equal(/; hit/.test(r.fields['cache-status']), true);
    });
  }
  await cases.check('what a visitor says of his country counts for nothing', async () => {
    equal((await from('203.0.113.9', { 'X-Country': 'DE' })).body, first.rest);
    equal((await from('8.8.8.8', { 'X-Country': 'us' })).body, first.rest);
    await ask('/q', { 'X-Forwarded-For': '192.0.2.1', 'X-Country': 'US' });
    equal(origin.requests.at(-1).fields['x-country'], 'DE');
  });
  await cases.check('explain knows it', async () => {
    const r = await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://test/p')}&header=${encodeURIComponent('X-Forwarded-For: 192.0.2.1')}`);
    equal(r.status, 200);
    equal(JSON.parse(r.text).request.country, 'DE');
  });
});
