// The servers of one table, with the origin behind them and proof that what is measured are hits.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ask, askTls, Client } from './client.mjs';
import { request } from './heads.mjs';
import { bareTls, peers, startOrigin } from './peers.mjs';

// Caches and logs in memory where there is such a file system: no disk is measured.
const base = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();

export class World {
  static async open({ originCores = '1' } = {}) {
    const w = new World();
    w.folder = fs.mkdtempSync(path.join(base, 'freshet-bench-'));
    fs.chmodSync(w.folder, 0o755);
    w.servers = {};
    w.origin = await startOrigin({ cores: originCores, folder: w.folder });
    return w;
  }

  // Starts a server under its peer's name, or under another when a table has two of one kind.
  async start(peer, options, name = peer) {
    const folder = path.join(this.folder, name);
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder);
    fs.chmodSync(folder, 0o755);
    return (this.servers[name] = await (peer === 'bare_tls' ? bareTls : peers[peer]).start({ origin: this.origin.port, folder, ...options }));
  }

  async stop(name) {
    await this.servers[name].stop();
    delete this.servers[name];
  }

  async close() {
    for (const name of Object.keys(this.servers)) await this.stop(name);
    await this.origin.stop();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  // Requests that the origin has answered.
  async asked() {
    return +(await ask(this.origin.port, request('/count'))).body.toString();
  }

  // Asks a server until its answer comes from its cache, and holds that the body is the origin's, byte by byte. Returns the answer.
  async warm(name, target, fields = {}, { hits = true } = {}) {
    const server = this.servers[name], bytes = request(target, fields, server.port); // the Host that wrk sends: it may be in the key
    const own = await ask(this.origin.port, request(target));
    let answer;
    for (let tries = 0; tries < 50; tries++) {
      const before = await this.asked();
      answer = await ask(server.port, bytes);
      if (answer.status !== 200 && answer.status !== 304) throw new Error(`${name}: ${target}: status ${answer.status}`);
      if (answer.status === 200 && !answer.body.equals(own.body)) throw new Error(`${name}: ${target}: not the origin's body`);
      if (!hits || (tries > 0 && (await this.asked()) === before)) return answer;
      await new Promise((done) => setTimeout(done, 20));
    }
    throw new Error(`${name}: ${target}: no hit after 50 requests`);
  }

  // The same over TLS, with the Host that lg sends. With `coding` until it comes so. Returns { headers, body }.
  async warmTls(name, target, fields = {}, coding = undefined) {
    const port = this.servers[name].tls, own = await ask(this.origin.port, request(target));
    for (let tries = 0; tries < 50; tries++) {
      const before = await this.asked(), answer = await askTls(port, target, fields);
      if (answer.status !== 200) throw new Error(`${name}: ${target}: status ${answer.status} over TLS`);
      if (!answer.headers['content-encoding'] && !answer.body.equals(own.body)) throw new Error(`${name}: ${target}: not the origin's body, over TLS`);
      if (tries > 0 && (await this.asked()) === before && answer.headers['content-encoding'] === coding) return answer;
      await new Promise((done) => setTimeout(done, 20));
    }
    throw new Error(`${name}: ${target}: no such hit after 50 requests over TLS`);
  }

  // Asks for each target once, on one connection.
  async fill(name, targets) {
    const client = await Client.open(this.servers[name].port);
    for (const t of targets) {
      const r = await client.ask(request(t, {}, this.servers[name].port));
      if (r.status !== 200) throw new Error(`${name}: ${t}: status ${r.status}`);
    }
    client.close();
  }

  // What the bare servers answer: freshet's answer to the same request, byte by byte. Returns the file.
  async responseFile(name, answer) {
    const file = path.join(this.folder, `response.${name}`);
    fs.writeFileSync(file, Buffer.concat([Buffer.from(answer.head, 'latin1'), answer.body]));
    return file;
  }

  // CPU time of one piece of work at a server, per request: `work` gives { requests, ... }.
  async measured(name, work) {
    const server = this.servers[name], asked = await this.asked();
    server.look();
    const before = server.cpuNs();
    const r = await work(server);
    const cpu = server.cpuNs() - before;
    return { cpu_us: cpu / 1000 / r.requests, ...r, asked: (await this.asked()) - asked };
  }
}
