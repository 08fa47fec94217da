// What freshet's admin listener is asked for.
import { Client } from './client.mjs';

// A purge as bytes, with the tags given.
export function purge(tags) {
  const body = JSON.stringify({ cache_tags: tags });
  return `POST /api/v1/purge HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer bench\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${body.length}\r\n\r\n${body}`;
}

export class Admin {
  static async open(server) {
    const a = new Admin();
    a.client = await Client.open(server.admin);
    return a;
  }

  async ask(bytes, status = 200) {
    const r = await this.client.ask(bytes);
    if (r.status !== status) throw new Error(`admin: ${r.head}${r.body}`);
    return r.body.toString();
  }

  async status() {
    return JSON.parse(await this.ask('GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer bench\r\n\r\n'));
  }

  purge(tags) {
    return this.ask(purge(tags), 202);
  }

  close() {
    this.client.close();
  }
}
