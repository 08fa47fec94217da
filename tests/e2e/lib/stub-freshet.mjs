#!/usr/bin/env node
// Stands in for the program freshet where only its life matters: listens where it is told, answers everything with 200,
// and ends on SIGTERM.

import { createServer } from 'node:http';

const flag = (name) => process.argv[process.argv.indexOf(name) + 1];
for (const name of ['--listen', '--admin', '--https']) {
  const [host, port] = flag(name).split(':');
  createServer((request, response) => response.end('ok\n')).listen(Number(port), host);
}
console.log(`stub: ${process.argv.slice(2).join(' ')}`);
