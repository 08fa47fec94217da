// What was measured on, and with what.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { peers } from './peers.mjs';

function says(...command) {
  const r = spawnSync(command[0], command.slice(1), { encoding: 'utf8' });
  return r.error ? '' : (r.stdout + r.stderr).trim();
}

export function machine() {
  const system = /^PRETTY_NAME="?(.*?)"?$/m.exec(fs.readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  return {
    cpu: os.cpus()[0]?.model.replace(/\s+/g, ' ') ?? os.arch(), cores: os.availableParallelism?.() ?? os.cpus().length,
    memory: Math.round(os.totalmem() / 2 ** 30), kernel: os.release(), system,
    virtual: /^flags.*\bhypervisor\b/m.test(fs.readFileSync('/proc/cpuinfo', 'utf8')),
    compiler: says('cc', '--version').split('\n')[0],
  };
}

export function versions() {
  const tools = { wrk: /wrk \S* ?\[?(\S+?)\]? /.exec(says('wrk', '-v'))?.[1] ?? says('wrk', '-v').split('\n')[0], node: process.version,
    valgrind: says('valgrind', '--version') };
  return { peers: Object.fromEntries(available().map((n) => [n, peers[n].version()])), tools };
}

// Peers whose program is here.
export function available() {
  return Object.keys(peers).filter((n) => {
    try {
      return !!peers[n].version() && !/undefined/.test(peers[n].version());
    } catch {
      return false;
    }
  });
}
