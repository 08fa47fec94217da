// The definitions that run.mjs runs: those of the package as the newest version asks for them, and our own.

import { readFileSync } from 'node:fs';
import suites from 'http-cache-tests/tests/index.mjs';
import additional from './additional.mjs';

const newest = JSON.parse(readFileSync(new URL('newest.json', import.meta.url)));

/** Any answer is right but the stored one: run.mjs takes whatever status comes as the expected one. */
function expectAny(request) {
  request.any_status = true;
  request.check_body = false;
  request.expected_response_headers_missing = ['Server-Request-Count'];
}

function modernise(test) {
  test.kind = newest.kind[test.id] ?? test.kind ?? 'required';
  newest.expected[test.id]?.forEach((type, i) => {
    delete test.requests[i].expected_type;
    if (type === 'any') expectAny(test.requests[i]);
    else if (type !== '-') test.requests[i].expected_type = type;
  });
  for (const [name, value] of Object.entries(newest.inputs[test.id] ?? {})) {
    test.requests[0].response_headers.find((field) => field[0] === name)[1] = value;
  }
  return test;
}

/** A row of newest.json that names no test would silently change nothing. */
function checkRows(known) {
  const rows = [newest.kind, newest.expected, newest.inputs].flatMap(Object.keys).concat(newest.dropped);
  const strange = rows.filter((id) => !known.has(id));
  if (strange.length > 0) throw new Error(`newest.json names tests that the package does not have: ${strange}`);
}

function checkTotals(tests) {
  for (const [kind, total] of Object.entries(newest.totals)) {
    const count = tests.filter((test) => test.kind === kind).length;
    if (count !== total) throw new Error(`the package has ${count} ${kind} tests, newest.json says ${total}`);
  }
}

/** The package's tests for a shared cache, as deep copies: its client writes into the definitions that it runs. */
function packageTests() {
  const all = suites.flatMap((suite) => suite.tests);
  checkRows(new Set(all.map((test) => test.id)));
  const wanted = all.filter((test) => !test.browser_only && !newest.dropped.includes(test.id));
  const tests = wanted.map((test) => modernise(structuredClone(test)));
  checkTotals(tests);
  return tests;
}

/** `origin` is what the numbers are counted by: "package" or "additional". */
export function testsFor(profile) {
  const own = additional.filter((test) => !test.profiles || test.profiles.includes(profile));
  return [
    ...packageTests().map((test) => ({ ...test, origin: 'package' })),
    ...own.map((test) => ({ kind: 'required', ...structuredClone(test), origin: 'additional' })),
  ];
}
