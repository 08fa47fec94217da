// That a freshet is back where it began: no request, fetch or tunnel is under way, idle connections have run into their time
// limits, and it holds no descriptor more than when it started. For suites that drive the program itself, whose clock is not
// turned; scenarios and stress tests have their own.

import fs from 'node:fs';
import http from 'node:http';

// An origin's idle connections are closed after 4 s, a client's when he closes them.
const PATIENCE_MS = 30_000;

/** Descriptors but for the one that each of libuv's loops opens with its first connection and keeps, and the files in the state folder. */
function count(pid) {
  const folder = `/proc/${pid}/fd`;
  return fs.readdirSync(folder).filter((fd) => {
    try {
      return !/^\/dev\/null$|\/(?:pages\/|facts)[^/]*$/.test(fs.readlinkSync(`${folder}/${fd}`));
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

/** The least of a few counts: freshet sees a little later that who asked for its gauges has left. */
async function descriptors(pid) {
  let least = Infinity;
  for (let i = 0; i < 5; i++) {
    await new Promise((again) => setTimeout(again, 5));
    least = Math.min(least, count(pid));
  }
  return least;
}

/** The gauges of /metrics by their names without prefix. */
function gauges(admin) {
  return new Promise((resolve, reject) => {
    const request = http.get(`${admin}/metrics`, { agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part)).on('end', () =>
        resolve(Object.fromEntries([...text.matchAll(/^freshet_(\w+) (\d+)$/gm)].map(([, name, value]) => [name, Number(value)]))));
    });
    request.on('error', reject);
  });
}

/** What is still open; the question itself is one connection and one request. */
function leftOf(now) {
  const least = { client_connections_open: 1, requests_open: 1, fetches_open: 0, origin_connections_open: 0, tunnels_open: 0,
    memory_passing_bytes: 0 };
  return Object.entries(least).filter(([name, value]) => !(now[name] <= value)).map(([name]) => `${name} is ${now[name]}`);
}

/** How a freshet was just after it had started to serve. */
export class Baseline {
  constructor(pid, admin, files) {
    Object.assign(this, { pid, admin, files });
  }

  /** `admin`: the URL of its admin listener. */
  static async of(pid, admin) {
    // Those who looked whether it serves may not be gone yet.
    const baseline = new Baseline(pid, admin, Infinity);
    await baseline.trouble();
    return new Baseline(pid, admin, await descriptors(pid));
  }

  /** Waits until all is back; returns '' or what is not. */
  async trouble() {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const left = leftOf(await gauges(this.admin));
      const files = await descriptors(this.pid);
      if (files > this.files) left.push(`${files} descriptors are open, ${this.files} were at the start`);
      if (left.length === 0) return '';
      if (Date.now() > deadline) return `not back at its baseline: ${left.join(', ')}`;
      await new Promise((again) => setTimeout(again, 50));
    }
  }
}
