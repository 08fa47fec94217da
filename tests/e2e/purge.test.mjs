// purgeCache() of npm @netlify/functions purges freshet: with the address and the token in the call, and unchanged
// through the preload.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { purgeCache } from '@netlify/functions';
import { NODE, REPOSITORY, freePorts, startWorld } from './lib/world.mjs';

const EMMA = '/books/emma';
const TYPEE = '/books/typee';
const AUSTEN = '/author/jane-austen';
const PAGES = [EMMA, TYPEE, AUSTEN];

let world;

before(async () => {
  // Neither may change what the package does.
  delete process.env.NETLIFY_PURGE_API_TOKEN;
  delete process.env.SITE_ID;
  world = await startWorld();
});
after(() => world?.stop());

/** All pages are hits before each test. */
beforeEach(async () => {
  for (const path of PAGES) {
    await world.get(path);
    await world.getHit(path);
  }
});

async function purgedPages() {
  const purged = [];
  for (const path of PAGES) if (!(await world.get(path)).isHit) purged.push(path);
  return purged;
}

describe('with address and token in the call', () => {
  const call = (options = {}) =>
    purgeCache({ siteID: 'default', apiURL: world.admin, token: world.token, ...options });

  test('a tag purges what carries it', async () => {
    await call({ tags: ['bk-emma'] });
    assert.deepEqual(await purgedPages(), [EMMA, AUSTEN]);
  });

  test('several tags, in any case of letters', async () => {
    await call({ tags: ['BK-TYPEE', 'au-austen'] });
    assert.deepEqual(await purgedPages(), [EMMA, TYPEE, AUSTEN]);
  });

  test('a tag that nothing carries purges nothing', async () => {
    await call({ tags: ['bk-nothing', 'bk-em', 'bk-emma-2'] });
    assert.deepEqual(await purgedPages(), []);
  });

  test('an empty list purges nothing', async () => {
    await call({ tags: [] });
    assert.deepEqual(await purgedPages(), []);
  });

  test('no list purges the whole site', async () => {
    await call();
    assert.deepEqual(await purgedPages(), PAGES);
  });

  test('the site by its slug', async () => {
    await purgeCache({ siteSlug: 'default', tags: ['bk-typee'], apiURL: world.admin, token: world.token });
    assert.deepEqual(await purgedPages(), [TYPEE]);
  });

  test('a domain alone finds its site', async () => {
    await purgeCache({ domain: '127.0.0.1', apiURL: world.admin, token: world.token });
    assert.deepEqual(await purgedPages(), PAGES);
  });

  test('a domain and a tag', async () => {
    await purgeCache({ domain: '127.0.0.1', tags: ['bk-typee'], apiURL: world.admin, token: world.token });
    assert.ok((await purgedPages()).includes(TYPEE));
  });

  test('a wrong token is rejected, and purges nothing', async () => {
    await assert.rejects(
      call({ token: `${world.token}x`, tags: ['bk-emma'] }),
      /unexpected status code: 401/,
    );
    await assert.rejects(call({ token: 'guess' }), /unexpected status code: 401/);
    assert.deepEqual(await purgedPages(), []);
  });

  test('an unknown site is rejected, and purges nothing', async () => {
    await assert.rejects(call({ siteID: 'nobody' }), /unexpected status code: 404/);
    assert.deepEqual(await purgedPages(), []);
  });

  test('the answer tells the purge’s number, which only grows', async () => {
    const numbers = [];
    for (let i = 0; i < 2; i++) {
      const response = await fetch(`${world.admin}/api/v1/purge`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${world.token}` },
        body: JSON.stringify({ site_id: 'default', cache_tags: ['bk-emma'] }),
      });
      assert.equal(response.status, 202);
      const { sequence, durable } = await response.json();
      assert.equal(typeof durable, 'boolean');
      numbers.push(sequence);
    }
    assert.ok(numbers[1] > numbers[0], String(numbers));
  });

  test('the site itself takes no purges: only the admin address does', async () => {
    await assert.rejects(call({ apiURL: world.site }), /unexpected status code/);
    assert.deepEqual(await purgedPages(), []);
  });
});

describe('through the preload', () => {
  const preload = pathToFileURL(join(REPOSITORY, 'integrations/node/freshet-purge.mjs')).href;
  const purger = fileURLToPath(new URL('lib/purger.mjs', import.meta.url));

  async function call(options, env = {}) {
    const { stdout } = await promisify(execFile)(
      NODE,
      ['--import', preload, purger, JSON.stringify(options)],
      {
        env: {
          PATH: process.env.PATH,
          HOME: world.folder,
          FRESHET_ADMIN: world.admin,
          FRESHET_TOKEN_FILE: world.tokenFile,
          ...env,
        },
      },
    );
    return JSON.parse(stdout);
  }

  test('tags alone, as the tutorial calls it', async () => {
    assert.deepEqual(await call({ tags: ['bk-emma'] }), { purged: true });
    assert.deepEqual(await purgedPages(), [EMMA, AUSTEN]);
  });

  test('the token from the state folder, where freshet keeps it', async () => {
    assert.deepEqual(
      await call({ tags: ['bk-typee'] }, { FRESHET_TOKEN_FILE: '', XDG_STATE_HOME: world.folder }),
      { purged: true },
    );
    assert.deepEqual(await purgedPages(), [TYPEE]);
  });

  test('nothing at all: the whole site', async () => {
    assert.deepEqual(await call({}), { purged: true });
    assert.deepEqual(await purgedPages(), PAGES);
  });

  test('an empty list: nothing', async () => {
    assert.deepEqual(await call({ tags: [] }), { purged: true });
    assert.deepEqual(await purgedPages(), []);
  });

  test('a wrong token, an unknown site and a freshet that is not there are told apart', async () => {
    const wrong = await call({ tags: ['bk-emma'] }, { FRESHET_TOKEN: 'guess' });
    assert.match(wrong.reason, /401.*came from FRESHET_TOKEN/s);
    const unknown = await call({ tags: ['bk-emma'] }, { FRESHET_SITE: 'nobody' });
    assert.match(unknown.reason, /404.*"nobody"/s);
    const [nobody] = await freePorts(1);
    const away = await call({ tags: ['bk-emma'] }, { FRESHET_ADMIN: `http://127.0.0.1:${nobody}` });
    assert.match(away.reason, /does not answer.*ECONNREFUSED/);
    assert.deepEqual(await purgedPages(), []);
  });
});
