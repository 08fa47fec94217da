// From raw results to outcomes. A test of the suite counts only if the tests that it stands on passed too: "reuses no stale
// 404" means nothing for a cache that never stores a 404.
//
//   pass          the test and all it stands on
//   precondition  something that it stands on did not pass
//   fail          an expectation was not met
//   setup         something that the test takes for granted did not hold
//   retry         the origin got one request twice, so that nothing can be said
//   harness       the client broke (a cut answer, no answer)

function ownOutcome(raw) {
  if (raw === true) return 'pass';
  const [name, message] = raw;
  if (name === 'Setup') return message === 'retry' ? 'retry' : 'setup';
  return name === 'Assertion' ? 'fail' : 'harness';
}

/** Map of id to { test, outcome, own, why } for all tests that were run; `raw` is what the suite's client recorded. */
export function judge(tests, raw) {
  const byId = new Map(tests.map((test) => [test.id, test]));
  const verdicts = new Map();
  const verdict = (id) => {
    if (verdicts.has(id)) return verdicts.get(id);
    const test = byId.get(id);
    if (!test) throw new Error(`a test depends on ${id}, which is not run`);
    if (!(id in raw)) throw new Error(`no result for ${id}`);
    const own = ownOutcome(raw[id]);
    const missing = (test.depends_on ?? []).filter((other) => verdict(other).outcome !== 'pass');
    const outcome = missing.length > 0 ? 'precondition' : own;
    const why = missing.length > 0 ? `stands on ${missing.join(', ')}` : own === 'pass' ? '' : raw[id].join(': ');
    verdicts.set(id, { test, outcome, own, why });
    return verdicts.get(id);
  };
  tests.forEach((test) => verdict(test.id));
  return verdicts;
}

/**
 * What a table of expectations makes of a verdict: "passed", "listed" (does what the table says, and the table says why)
 * or "unexpected", with the reason in words.
 */
export function compare(verdict, exception) {
  if (!exception) {
    return verdict.outcome === 'pass' ? { result: 'passed' } : { result: 'unexpected', why: verdict.why };
  }
  if (verdict.outcome === 'pass') return { result: 'unexpected', why: 'passes: take it off the table of exceptions' };
  const holds = {
    precondition: verdict.outcome === 'precondition' && verdict.own === 'pass',
    retry: verdict.outcome === 'retry',
    fail: verdict.outcome === 'fail' || verdict.outcome === 'setup',
  }[exception.outcome];
  if (holds) return { result: 'listed' };
  return { result: 'unexpected', why: `listed as "${exception.outcome}", but is "${verdict.outcome}": ${verdict.why}` };
}
