// Load, from the cores given: wrk for as many requests as go through.
import { execFile } from 'node:child_process';

const units = { us: 1e-3, ms: 1, s: 1000, m: 60_000 };

function run(command, ms) {
  return new Promise((done, fail) => {
    execFile(command[0], command.slice(1), { timeout: ms, maxBuffer: 1 << 24 }, (e, out, err) =>
      (e ? fail(new Error(`${command.join(' ')}: ${e.message}\n${out}${err}`)) : done(out)));
  });
}

// { requests, seconds, rps, p50, p99 (ms), errors }. `fields` are sent with each request; `script` is a Lua file of wrk's.
export async function wrk({ port, target, cores = '1', threads = 1, connections, seconds, fields = {}, script, scriptArgs = [] }) {
  const out = await run(['taskset', '-c', cores, 'wrk', `-t${threads}`, `-c${connections}`, `-d${seconds}s`, '--latency', '--timeout', '10s',
    ...Object.entries(fields).flatMap(([n, v]) => ['-H', `${n}: ${v}`]), ...(script ? ['-s', script] : []),
    `http://127.0.0.1:${port}${target}`, ...(scriptArgs.length > 0 ? ['--', ...scriptArgs] : [])], (seconds + 30) * 1000);
  const sum = /(\d+) requests in ([\d.]+)(us|ms|s|m)/.exec(out);
  if (!sum) throw new Error(`wrk said nothing of use:\n${out}`);
  const percentile = (p) => {
    const m = new RegExp(`^ +${p}% +([\\d.]+)(us|ms|s|m)`, 'm').exec(out);
    return m ? +m[1] * units[m[2]] : undefined;
  };
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(out);
  return {
    requests: +sum[1], seconds: (+sum[2] * units[sum[3]]) / 1000, rps: +/Requests\/sec: +([\d.]+)/.exec(out)[1],
    p50: percentile(50), p99: percentile(99),
    errors: (sockets?.slice(1).reduce((a, b) => a + +b, 0) ?? 0) + +(/Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1] ?? 0),
  };
}
