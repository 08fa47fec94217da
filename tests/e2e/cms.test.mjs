// The CMS of the example speaks the part of Contentful's API that the site uses, refuses the rest by name, and never
// loses a webhook.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { NODE, REPOSITORY, freePorts, temporaryFolder, until } from './lib/world.mjs';
import { Receiver } from './lib/receiver.mjs';

const PATH = '/content/v1/spaces/bookshelf/environments/master';
const folder = temporaryFolder();
let base;
let receiver;
let cms;

async function startCms(file) {
  const port = Number(new URL(base).port);
  cms = spawn(NODE, [join(REPOSITORY, 'examples/astro-bookshelf/cms/server.mjs')], {
    env: {
      ...process.env,
      CMS_PORT: String(port),
      CMS_DATA: join(folder, file),
      WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/hook`,
      WEBHOOK_SECRET: 'open sesame',
      WEBHOOK_RETRY_MS: '40',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await until('the CMS to answer', () =>
    fetch(`${base}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
}

async function stopCms(signal = 'SIGTERM') {
  if (cms.exitCode !== null || cms.signalCode !== null) return;
  const ended = new Promise((resolve) => cms.on('exit', resolve));
  cms.kill(signal);
  await ended;
}

async function post(body, { token = 'bookshelf-delivery-token', path = PATH } = {}) {
  const response = await fetch(base + path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
    body,
  });
  return { status: response.status, ...(await response.json()) };
}

const query = (source, variables) => post(JSON.stringify({ query: source, variables }));

async function submit(path, fields, headers = {}) {
  return fetch(base + path, {
    method: 'POST',
    body: new URLSearchParams(fields),
    headers,
    redirect: 'manual',
  });
}

const webhooks = async () => (await fetch(`${base}/webhooks.json`)).json();

before(async () => {
  const [port] = await freePorts(1);
  base = `http://127.0.0.1:${port}`;
  receiver = await new Receiver().listen();
});

after(async () => {
  await receiver.close();
  rmSync(folder, { recursive: true });
});

describe('its GraphQL', () => {
  before(() => startCms('graphql.json'));
  after(() => stopCms());

  const titles = (answer) => answer.data?.bookCollection.items.map(({ title }) => title) ?? answer.errors;

  test('variables, aliases, nested selections and linked entries', async () => {
    const answer = await query(
      `# a comment
      query Book($slug: String!, $limit: Int = 1) {
        found: bookCollection(where: { slug: $slug }, limit: $limit) {
          total skip limit __typename
          items { sys { id publishedVersion } name: title year author { name sys { id } } }
        }
      }`,
      { slug: 'emma' },
    );
    assert.deepEqual(answer, {
      status: 200,
      data: {
        found: {
          total: 1,
          skip: 0,
          limit: 1,
          __typename: 'BookCollection',
          items: [
            {
              sys: { id: 'bk-emma', publishedVersion: 1 },
              name: 'Emma',
              year: 1815,
              author: { name: 'Jane Austen', sys: { id: 'au-austen' } },
            },
          ],
        },
      },
    });
  });

  const FILTERS = [
    ['where: { slug: "none" }', []],
    [
      'where: { author: { slug: "jane-austen" } }, order: year_DESC',
      ['Persuasion', 'Emma', 'Pride and Prejudice'],
    ],
    ['where: { author: { sys: { id: "au-shelley" } } }, order: [year_ASC]', ['Frankenstein', 'The Last Man']],
    ['where: { year_gte: 1895 }, order: [year_ASC]', ['The Time Machine', 'The War of the Worlds']],
    ['where: { title_contains: "WORLD", year_lt: 1890 }', ['Around the World in Eighty Days']],
    ['where: { slug_in: ["emma", "typee"] }, order: [slug_DESC]', ['Typee', 'Emma']],
    ['where: { OR: [{ slug: "emma" }, { sys: { id: "bk-typee" } }] }, order: [title_ASC]', ['Emma', 'Typee']],
    [
      'where: { slug_not_in: ["emma"], author: { slug: "jane-austen" } }, order: [title_ASC]',
      ['Persuasion', 'Pride and Prejudice'],
    ],
    ['order: [title_ASC], skip: 1, limit: 2', ['Emma', 'Frankenstein']],
    ['limit: 0', []],
    ['where: { pages_exists: false }', []],
  ];
  for (const [args, expected] of FILTERS) {
    test(`bookCollection(${args})`, async () => {
      assert.deepEqual(titles(await query(`{ bookCollection(${args}) { items { title } } }`)), expected);
    });
  }

  test('pages of a list are complete and do not overlap, also in an order that is not one', async () => {
    const seen = [];
    for (let skip = 0; skip < 12; skip += 5) {
      const answer = await query(
        'query($skip: Int) { bookCollection(order: [sys_publishedVersion_ASC], skip: $skip, limit: 5) { items { title } } }',
        { skip },
      );
      seen.push(...titles(answer));
    }
    assert.equal(seen.length, 12);
    assert.equal(new Set(seen).size, 12);
  });

  test('one entry by its id; an unknown one is null', async () => {
    const answer = await query(
      '{ a: book(id: "bk-typee") { title } b: book(id: "no") { title } c: author(id: "bk-typee") { name } }',
    );
    assert.deepEqual(answer.data, { a: { title: 'Typee' }, b: null, c: null });
  });

  const REFUSED = [
    ['{ bookCollection { items { isbn } } }', {}, /Cannot query field "isbn" on type "Book"/],
    ['{ magazineCollection { total } }', {}, /Cannot query field "magazineCollection" on type "Query"/],
    ['{ __schema { types { name } } }', {}, /Cannot query field "__schema"/],
    ['{ bookCollection(first: 1) { total } }', {}, /Unknown argument "first"/],
    [
      '{ bookCollection(where: { isbn: "1" }) { total } }',
      {},
      /Field "isbn" is not defined by type "BookFilter"/,
    ],
    ['{ bookCollection(where: { __proto__: {} }) { total } }', {}, /Field "__proto__" is not defined/],
    ['{ bookCollection(order: [isbn_ASC]) { total } }', {}, /not a valid BookOrder/],
    ['{ bookCollection(limit: "1") { total } }', {}, /argument "limit" is not a valid Int/],
    ['{ bookCollection(limit: 1001) { total } }', {}, /"limit" must be from 0 to 1000/],
    ['{ bookCollection(skip: -1) { total } }', {}, /"skip" must not be negative/],
    ['{ bookCollection(locale: "de") { total } }', {}, /unknown locale "de"/],
    ['{ book { title } }', {}, /needs the argument "id"/],
    ['{ bookCollection }', {}, /must have a selection/],
    ['{ book(id: "bk-emma") { title { text } } }', {}, /has no subfields/],
    [
      'query($slug: String!) { bookCollection(where: { slug: $slug }) { total } }',
      {},
      /"\$slug" of type "String!" was not provided/,
    ],
    [
      'query($slug: String!) { bookCollection(where: { slug: $slug }) { total } }',
      { slug: 7 },
      /not a valid String/,
    ],
    [
      'query($slug: Int) { bookCollection(where: { slug: $slug }) { total } }',
      { slug: 7 },
      /"Int" stands where "String" is expected/,
    ],
    ['{ bookCollection(where: { slug: $slug }) { total } }', { slug: 'emma' }, /"\$slug" is not declared/],
    ['query($slug: String) { bookCollection { total } }', { slug: 'emma' }, /"\$slug" is never used/],
    [
      'query($order: [BookOrder]) { bookCollection(order: $order) { total } }',
      { order: ['isbn_ASC'] },
      /not a valid BookOrder/,
    ],
    ['{ bookCollection { ...fields } }', {}, /Fragments are not supported/],
    ['{ bookCollection @include(if: true) { total } }', {}, /Directives are not supported/],
    ['mutation { publish }', {}, /"mutation" is not supported/],
    ['{ a: bookCollection { total } a: authorCollection { total } }', {}, /conflict/],
    ['{ bookCollection { total }', {}, /expected a name, found "the end of the query"/],
    ['{ bookCollection { total } } { authorCollection { total } }', {}, /Only one operation/],
    ['{ bookCollection(where: { slug: "a\nb" }) { total } }', {}, /unexpected character/],
    ['', {}, /no query/],
    [
      `{ bookCollection(where: ${'{ AND: '.repeat(20)}[]${' }'.repeat(20)}) { total } }`,
      {},
      /nested too deeply/,
    ],
    [`{ ${'bookCollection { items { author '.repeat(20)}`, {}, /nested too deeply/],
    [`{ ${'a '.repeat(2100)} }`, {}, /too many tokens/],
    [`# ${'x'.repeat(9000)}\n{ a }`, {}, /longer than/],
  ];
  for (const [source, variables, message] of REFUSED) {
    test(`refuses ${source.slice(0, 60).replaceAll('\n', ' ')} … ${JSON.stringify(variables)}`, async () => {
      const answer = await query(source, variables);
      assert.equal(answer.status, 400);
      assert.equal(answer.data, undefined);
      assert.match(answer.errors[0].message, message);
      assert.ok(answer.errors[0].extensions.contentful.code);
    });
  }

  test('an error tells where it is', async () => {
    const answer = await query('{\n  bookCollection {\n    items { isbn }\n  }\n}');
    assert.deepEqual(answer.errors[0].locations, [{ line: 3, column: 13 }]);
  });

  test('a wrong token, a wrong space, a body that is no JSON and one that is too large', async () => {
    const wrong = await post('{"query":"{ bookCollection { total } }"}', { token: 'guess' });
    assert.equal(wrong.status, 401);
    assert.equal(wrong.errors[0].extensions.contentful.code, 'ACCESS_TOKEN_INVALID');
    const space = await fetch(`${base}/content/v1/spaces/other/environments/master`, {
      method: 'POST',
      body: '{}',
    });
    assert.equal(space.status, 404);
    assert.equal((await post('not json')).status, 400);
    assert.equal((await post('null')).status, 400);
    const large = await fetch(base + PATH, {
      method: 'POST',
      headers: { Authorization: 'Bearer bookshelf-delivery-token' },
      body: 'x'.repeat(70_000),
    });
    assert.equal(large.status, 413);
  });
});

describe('its editing pages and webhooks', () => {
  const EMMA = {
    title: 'Emma',
    slug: 'emma',
    author: 'au-austen',
    year: '1815',
    pages: '474',
    description: 'Wrong every time.',
  };
  let file = 0;

  beforeEach(async () => {
    receiver.received = [];
    receiver.answers = [{ status: 200 }];
    await startCms(`edit-${++file}.json`);
  });
  afterEach(() => stopCms());

  const settled = () =>
    until('the webhook to be settled', async () => {
      const all = await webhooks();
      return all.length > 0 && all.every(({ state }) => state !== 'pending') && all;
    });

  test('publishing changes the entry and sends the webhook in Contentful’s form, with the secret', async () => {
    const response = await submit('/edit/book/bk-emma', { ...EMMA, title: 'Emma, revised' });
    assert.equal(response.status, 303);
    const [webhook] = await settled();
    assert.equal(webhook.state, 'delivered');
    assert.equal(receiver.received.length, 1);
    const { headers, body } = receiver.received[0];
    assert.equal(headers['x-contentful-topic'], 'ContentManagement.Entry.publish');
    assert.equal(headers['x-webhook-secret'], 'open sesame');
    assert.equal(headers['content-type'], 'application/vnd.contentful.management.v1+json');
    assert.equal(body.sys.id, 'bk-emma');
    assert.equal(body.sys.type, 'Entry');
    assert.deepEqual(body.sys.contentType, { sys: { type: 'Link', linkType: 'ContentType', id: 'book' } });
    assert.deepEqual(body.fields.title, { 'en-US': 'Emma, revised' });
    assert.deepEqual(body.fields.year, { 'en-US': 1815 });
    assert.deepEqual(body.fields.author, {
      'en-US': { sys: { type: 'Link', linkType: 'Entry', id: 'au-austen' } },
    });
    const answer = await query('{ book(id: "bk-emma") { title sys { publishedVersion } } }');
    assert.deepEqual(answer.data.book, { title: 'Emma, revised', sys: { publishedVersion: 2 } });
  });

  test('deleting unpublishes, with a webhook that has no fields', async () => {
    await submit('/edit/book/bk-emma', { action: 'delete' });
    await settled();
    const { headers, body } = receiver.received[0];
    assert.equal(headers['x-contentful-topic'], 'ContentManagement.Entry.unpublish');
    assert.equal(body.sys.type, 'DeletedEntry');
    assert.equal(body.sys.contentType.sys.id, 'book');
    assert.equal(body.fields, undefined);
    assert.equal((await query('{ book(id: "bk-emma") { title } }')).data.book, null);
  });

  test('an author who still has books stays', async () => {
    const response = await submit('/edit/author/au-austen', { action: 'delete' });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /3 of the books are still by this author/);
    assert.deepEqual(await webhooks(), []);
  });

  test('a webhook that meets an error, a broken connection and a 429 is sent again, each time later', async () => {
    receiver.answers = [{ status: 500 }, { cut: true }, { status: 429 }, { status: 200 }];
    await submit('/edit/book/bk-emma', EMMA);
    const [webhook] = await settled();
    assert.deepEqual([webhook.state, webhook.tries], ['delivered', 4]);
    const times = receiver.received.map(({ at }) => at);
    const waits = times.slice(1).map((at, i) => at - times[i]);
    // Timers never fire early but for a millisecond of rounding: 40, 80, 160.
    assert.ok(waits[0] >= 38 && waits[1] >= 78 && waits[2] >= 158, `waited ${waits} ms`);
  });

  test('a webhook that is refused is not sent again', async () => {
    receiver.answers = [{ status: 401 }];
    await submit('/edit/book/bk-emma', EMMA);
    const [webhook] = await settled();
    assert.deepEqual([webhook.state, webhook.tries, receiver.received.length], ['refused', 1, 1]);
  });

  test('a webhook that is still owed when the CMS is killed is delivered after its next start', async () => {
    receiver.answers = [{ status: 503 }];
    await submit('/edit/book/bk-emma', { ...EMMA, title: 'Emma, at last' });
    await until('a first try', () => receiver.received.length > 0);
    await stopCms('SIGKILL');
    receiver.received = [];
    receiver.answers = [{ status: 200 }];
    await startCms(`edit-${file}.json`);
    const [webhook] = await settled();
    assert.equal(webhook.state, 'delivered');
    assert.equal(receiver.received[0].body.fields.title['en-US'], 'Emma, at last');
  });

  const WRONG = [
    [{ title: ' ' }, /Title is missing/],
    [{ slug: 'typee' }, /slug “typee” is taken/],
    [{ slug: 'Not A Slug' }, /small letters, digits and single hyphens/],
    [{ year: '1e3' }, /Year must be a whole number/],
    [{ author: 'bk-emma' }, /Author is unknown/],
    [{ title: 'x'.repeat(201) }, /longer than 200/],
  ];
  test('a form that is filled in wrong comes back with the reason, what was typed, and no webhook', async () => {
    for (const [change, message] of WRONG) {
      const response = await submit('/edit/book/bk-emma', {
        ...EMMA,
        description: 'kept as typed',
        ...change,
      });
      const text = await response.text();
      assert.equal(response.status, 400);
      assert.match(text, message);
      assert.match(text, /kept as typed/);
    }
    assert.deepEqual(await webhooks(), []);
  });

  test('a form from another site, and a request for another host name, are refused', async () => {
    const foreign = await submit('/edit/book/bk-emma', EMMA, { Origin: 'http://elsewhere.example' });
    assert.equal(foreign.status, 403);
    const own = await submit('/edit/book/bk-emma', EMMA, { Origin: base });
    assert.equal(own.status, 303);
    const renamed = await new Promise((resolve, reject) => {
      get(base, { headers: { Host: 'elsewhere.example' } }, resolve).on('error', reject);
    });
    renamed.resume();
    assert.equal(renamed.statusCode, 403);
  });

  test('what was typed is text on every page, never markup', async () => {
    await submit('/edit/book/bk-emma', { ...EMMA, title: '<script>alert("x")</script>' });
    await settled();
    for (const path of ['/', '/edit/book/bk-emma', '/?done=published&what=%3Cscript%3E']) {
      const text = await (await fetch(base + path)).text();
      assert.doesNotMatch(text, /<script/);
      assert.match(text, /&lt;script&gt;/);
    }
  });
});
