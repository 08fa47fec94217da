// A small server that takes whatever is posted to it and answers as told: for webhooks, and in freshet's place.

import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname } from 'node:path';

export class Receiver {
  constructor() {
    this.received = [];
    /** What to answer, one a request, the last one for ever. */
    this.answers = [{ status: 202, body: '{"sequence":1,"durable":false}' }];
    this.server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
      this.received.push({
        url: request.url,
        headers: request.headers,
        body: JSON.parse(body || 'null'),
        at: Date.now(),
      });
      if (answer.cut) return request.socket.destroy();
      response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(answer.body ?? '{}');
    });
  }

  async listen(port = 0) {
    await new Promise((resolve, reject) =>
      this.server.on('error', reject).listen(port, '127.0.0.1', resolve),
    );
    this.port = this.server.address().port;
    return this;
  }

  async close() {
    await new Promise((resolve) => {
      this.server.close(resolve);
      this.server.closeAllConnections();
    });
  }
}

/** Takes the purges of a world that runs without freshet. */
export async function standInFor(world) {
  mkdirSync(dirname(world.tokenFile), { recursive: true });
  writeFileSync(world.tokenFile, 'the-token\n');
  return new Receiver().listen(world.stack.ports.admin);
}
