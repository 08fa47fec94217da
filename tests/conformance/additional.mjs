// Our own tests in the suite's format, for what it asks only in versions newer than the published one, or not at all:
// targeted cache control, the stale windows, must-understand, unusual ages, interim responses, what a hit and a 304 do to
// Date and Expires. RFC 9213, 5861, 9111 and 9110; "ours" marks a decision of docs/CACHING.md that no RFC makes.
//
// Beyond the suite's own words: `profiles` (only in these), `interim_responses`, `response_pause` (origin.mjs),
// `expected_interim_responses` (run.mjs). A response field [name, value, false] need not reach the client.

const PAUSE = { setup: true, pause_after: true };
const stored = (fields, more = {}) => ({ response_headers: fields, ...PAUSE, ...more });

/** The response with these fields answers the next request, three seconds later. */
const reuses = (id, name, fields, next = {}, more = {}) => ({
  id: `freshet-${id}`,
  name,
  kind: 'optimal',
  requests: [stored(fields), { expected_type: 'cached', setup_tests: ['expected_type'], ...next }],
  ...more,
});

/** The next request, three seconds later, is answered by the origin. */
const asksAgain = (id, name, fields, next = {}, more = {}) => ({
  id: `freshet-${id}`,
  name,
  kind: 'required',
  requests: [stored(fields), { expected_type: 'not_cached', ...next }],
  ...more,
});

const cc = (value) => ['Cache-Control', value];
const cdn = (value) => ['CDN-Cache-Control', value];
const ETAG = ['ETag', '"abc"'];
const NOW = ['Date', 0];

const targeted = [
  reuses('cdn-lifetime', 'CDN-Cache-Control alone gives a lifetime', [cdn('max-age=3600')]),
  reuses('cdn-over-31-bits', 'CDN-Cache-Control lifetimes above 2^31 are long ones', [cdn('max-age=2147483649')]),
  reuses('cdn-15-digits', 'the largest integer of a structured field is a long lifetime', [cdn('max-age=999999999999999')]),
  reuses('cdn-parameters', 'parameters of a CDN-Cache-Control directive are ignored', [cdn('max-age=3600;ext=1')]),
  reuses('cdn-false-is-absent', 'a CDN-Cache-Control directive that is false counts as absent', [
    cdn('no-store=?0, private=?0, max-age=3600'),
  ]),
  reuses('cdn-two-lines-last', 'two CDN-Cache-Control lines are one dictionary, whose last member of a name counts', [
    cdn('max-age=1'),
    cdn('max-age=3600'),
  ]),
  reuses('cdn-over-no-store', 'CDN-Cache-Control rules alone, whatever Cache-Control forbids: no-store', [
    cc('no-store'),
    cdn('max-age=3600'),
  ]),
  reuses('cdn-over-private', 'CDN-Cache-Control rules alone, whatever Cache-Control forbids: private', [
    cc('private'),
    cdn('max-age=3600'),
  ]),
  reuses('cdn-broken-falls-back', 'a CDN-Cache-Control that is no structured field is ignored whole', [
    cc('max-age=3600'),
    cdn('max-age=0, &'),
  ]),
  reuses('cdn-empty-falls-back', 'an empty CDN-Cache-Control is none', [
    cc('max-age=3600'),
    ['CDN-Cache-Control', '', false],
  ]),
  reuses(
    'cdn-visible',
    'fields meant for this cache stay hidden from the client, those meant for any are passed on',
    [
      cc('max-age=3600'),
      cdn('max-age=7200'),
      ['Cache-Tag', 'books'],
      ['Netlify-CDN-Cache-Control', 'max-age=3600', false],
      ['Netlify-Cache-Tag', 'book-1', false],
      ['Netlify-Cache-ID', 'shelf', false],
    ],
    {
      expected_response_headers: [cc('max-age=3600'), cdn('max-age=7200'), ['Cache-Tag', 'books']],
      expected_response_headers_missing: ['Netlify-CDN-Cache-Control', 'Netlify-Cache-Tag', 'Netlify-Cache-ID'],
    },
    { kind: 'required' },
  ),
  asksAgain('cdn-netlify-first', 'Netlify-CDN-Cache-Control rules before CDN-Cache-Control', [
    cc('max-age=3600'),
    cdn('max-age=3600'),
    ['Netlify-CDN-Cache-Control', 'max-age=1', false],
  ]),
  asksAgain('cdn-s-maxage-first', 's-maxage comes before max-age in CDN-Cache-Control too', [
    cdn('max-age=3600, s-maxage=1'),
  ]),
  asksAgain('cdn-duplicate-last', 'of two lifetimes in CDN-Cache-Control the last counts', [
    cdn('max-age=3600, max-age=1'),
  ]),
  asksAgain('cdn-16-digits', 'an integer too long for a structured field spoils CDN-Cache-Control', [
    cc('no-store'),
    cdn('max-age=9999999999999999'),
  ]),
  asksAgain('cdn-upper-case', 'CDN-Cache-Control names in upper case are no structured field', [
    cc('no-store'),
    cdn('Max-Age=3600'),
  ]),
  asksAgain('cdn-string', 'a lifetime as a string gives none', [cc('max-age=3600'), cdn('max-age="3600"')]),
  asksAgain('cdn-decimal', 'a lifetime with decimals gives none', [cc('max-age=3600'), cdn('max-age=3600.0')]),
  asksAgain('cdn-negative', 'a negative lifetime gives none', [cc('max-age=3600'), cdn('max-age=-1')]),
  asksAgain('cdn-private', 'CDN-Cache-Control: private is not shared', [
    cc('max-age=3600'),
    cdn('private, max-age=3600'),
  ]),
  asksAgain('cdn-no-store', 'CDN-Cache-Control: no-store is not stored', [
    cc('max-age=3600'),
    cdn('no-store, max-age=3600'),
  ]),
  asksAgain('cdn-broken-no-store', 'a broken CDN-Cache-Control that says no-store keeps the response out (ours)', [
    cc('max-age=3600'),
    cdn('no-store, &'),
  ]),
  asksAgain('cdn-no-expires', 'Expires gives no lifetime beside CDN-Cache-Control', [
    cdn('public'),
    ['Expires', 10000],
    NOW,
  ]),
  asksAgain('cdn-age', 'Age counts against a lifetime of CDN-Cache-Control', [
    cdn('max-age=3600'),
    ['Age', '7200'],
    NOW,
  ]),
  asksAgain(
    'cdn-no-cache',
    'CDN-Cache-Control: no-cache is validated on each use',
    [cc('max-age=3600'), cdn('no-cache'), ETAG],
    { expected_type: 'etag_validated' },
  ),
];

const windows = [
  reuses('swr-window', 'a stale response goes out inside its stale-while-revalidate window', [
    cc('max-age=1, stale-while-revalidate=3600'),
  ]),
  reuses('swr-bare', 'stale-while-revalidate without a number is a long window (ours)', [
    cc('max-age=1, stale-while-revalidate'),
  ]),
  reuses('swr-zero-lifetime', 'max-age=0 with a window is stored and served stale (ours)', [
    cc('max-age=0, stale-while-revalidate=3600'),
  ]),
  reuses(
    'swr-s-maxage-isr',
    's-maxage does not void the window of a cache for sites (ours)',
    [cc('s-maxage=1, stale-while-revalidate=3600')],
    {},
    { profiles: ['isr'] },
  ),
  asksAgain(
    'swr-s-maxage-rfc9111',
    's-maxage forbids stale responses',
    [cc('s-maxage=1, stale-while-revalidate=3600')],
    {},
    { profiles: ['rfc9111'] },
  ),
  asksAgain('swr-window-over', 'after the stale-while-revalidate window the request waits for the origin', [
    cc('max-age=1, stale-while-revalidate=1'),
  ]),
  asksAgain('swr-must-revalidate', 'must-revalidate voids the window', [
    cc('max-age=1, stale-while-revalidate=3600, must-revalidate'),
  ]),
  asksAgain('swr-proxy-revalidate', 'proxy-revalidate voids the window', [
    cc('max-age=1, stale-while-revalidate=3600, proxy-revalidate'),
  ]),
  asksAgain('swr-no-cache', 'no-cache voids the window', [cc('max-age=1, stale-while-revalidate=3600, no-cache')]),
  {
    id: 'freshet-swr-refreshes',
    name: 'a stale answer starts one refresh, whose response answers from then on',
    kind: 'optimal',
    requests: [
      stored([cc('max-age=1, stale-while-revalidate=3600')]),
      stored([['Cache-Control', 'max-age=3600', false]], { expected_type: 'cached' }),
      { expected_type: 'cached', expected_response_headers: [['Server-Request-Count', '2']] },
    ],
  },
  {
    id: 'freshet-swr-drops',
    name: 'a refresh that brings what may not be stored drops the old response',
    kind: 'required',
    requests: [
      stored([cc('max-age=1, stale-while-revalidate=3600')]),
      stored([['Cache-Control', 'no-store', false]], { expected_type: 'cached' }),
      { expected_response_headers: [['Client-Request-Count', '3']] },
    ],
  },
  reuses(
    'sie-500',
    'inside stale-if-error a 500 from the origin is answered with the stale response',
    [cc('max-age=1, stale-if-error=3600')],
    { response_status: [500, 'Internal Server Error'], expected_status: 200 },
  ),
  reuses(
    'sie-cut',
    'inside stale-if-error a cut from the origin is answered with the stale response',
    [cc('max-age=1, stale-if-error=3600')],
    { disconnect: true },
  ),
  asksAgain(
    'sie-404',
    'stale-if-error is not for a 404: the page is gone',
    [cc('max-age=1, stale-if-error=3600')],
    { response_status: [404, 'Not Found'] },
  ),
  asksAgain(
    'sie-window-over',
    'after the stale-if-error window the error goes out',
    [cc('max-age=1, stale-if-error=1')],
    { response_status: [503, 'Service Unavailable'] },
    { profiles: ['isr'] },
  ),
  asksAgain(
    'sie-none',
    'without a window no stale response covers for an error (ours)',
    [cc('max-age=1')],
    { response_status: [503, 'Service Unavailable'] },
    { profiles: ['isr'] },
  ),
];

const understood = [200, 404].map((status) => ({
  id: `freshet-must-understand-${status}`,
  name: `must-understand overrides no-store for a ${status}, which is understood`,
  kind: 'optimal',
  requests: [
    stored([cc('max-age=3600, no-store, must-understand')], { response_status: [status, 'Known'] }),
    { expected_type: 'cached', expected_status: status },
  ],
}));
const notUnderstood = [299, 599].map((status) => ({
  id: `freshet-must-understand-${status}`,
  name: `must-understand keeps a ${status} out, which is not understood`,
  kind: 'required',
  requests: [
    stored([cc('max-age=3600, no-store, must-understand')], { response_status: [status, 'Unknown'] }),
    { expected_type: 'not_cached' },
  ],
}));

const ages = [
  ...['2147483647', '2147483648', '4294967297', '99999999999999999999'].map((age) =>
    asksAgain(`age-${age}`, `Age: ${age} is very old`, [NOW, cc('max-age=3600'), ['Age', age, false]]),
  ),
  reuses(
    'age-near-limit',
    'ages near 2^31 are counted, not wrapped',
    [NOW, cc('max-age=2147483648'), ['Age', '2147483000']],
    { expected_response_headers: [['Age', '>', 2147483002]] },
    { kind: 'required' },
  ),
  reuses(
    'age-once',
    'a hit has one Age, however many the origin sent',
    [NOW, cc('max-age=3600'), ['Age', '60', false], ['Age', '60', false]],
    { expected_response_headers: [['Age', '>', 62]] },
    { kind: 'required' },
  ),
  {
    id: 'freshet-age-delay',
    name: 'the time that the origin took counts as age',
    kind: 'required',
    requests: [
      { response_headers: [NOW, cc('max-age=3600')], response_pause: 3, setup: true },
      { expected_type: 'cached', setup_tests: ['expected_type'], expected_response_headers: [['Age', '>', 1]] },
    ],
  },
];

const EARLY = [
  ['Link', '</site.css>; rel=preload; as=style'],
  ['X-Early', 'yes'],
];
const interim = (id, name, responses) => ({
  id: `freshet-interim-${id}`,
  name,
  kind: 'optimal',
  requests: [
    stored([cc('max-age=3600')], { interim_responses: responses, expected_interim_responses: responses }),
    { expected_type: 'cached', expected_interim_responses: [] },
  ],
});
const interims = [
  interim('102', 'a 102 is passed on and the final response is stored', [[102]]),
  interim('103', 'a 103 is passed on with its fields and the final response is stored', [[103, EARLY]]),
  interim('several', 'interim responses are passed on in their order', [[102], [103, EARLY], [103, [EARLY[0]]]]),
];

const SECOND = ['Server-Request-Count', '2'];
const refreshed = (id, name, first, second, expected) => ({
  id: `freshet-304-${id}`,
  name,
  kind: 'required',
  requests: [
    stored([...first, ETAG]),
    {
      response_headers: [...second, ETAG],
      expected_type: 'etag_validated',
      setup_tests: ['expected_type'],
      expected_response_headers: [SECOND, ...structuredClone(expected)],
    },
    { expected_type: 'cached', expected_response_headers: [SECOND, ...structuredClone(expected)] },
  ],
});
const dates = [
  reuses(
    'hit-keeps-date',
    'a hit has the Date of the stored response, also with a lifetime from Cache-Control',
    [NOW, cc('max-age=3600')],
    { expected_response_headers: [['Date', 0]] },
    { kind: 'required' },
  ),
  reuses(
    'hit-keeps-expires',
    'a hit has the Expires of the stored response',
    [NOW, ['Expires', 3600]],
    { expected_response_headers: [['Expires', 3600]] },
    { kind: 'required' },
  ),
  refreshed('date', 'a 304 brings its Date', [NOW, cc('max-age=1')], [NOW, cc('max-age=3600')], [['Date', 0]]),
  refreshed(
    'expires',
    'a 304 brings its Expires, which counts from then on',
    [NOW, ['Expires', 1]],
    [NOW, ['Expires', 3600]],
    [['Expires', 3600]],
  ),
  refreshed(
    'age',
    'a 304 without Age takes the old Age away',
    [NOW, cc('max-age=60'), ['Age', '59']],
    [NOW, cc('max-age=60')],
    [],
  ),
];

export default [...targeted, ...windows, ...understood, ...notUnderstood, ...ages, ...interims, ...dates];
