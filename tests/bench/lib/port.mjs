// Loopback ports for what the bench starts. Below the range from which the kernel takes the ports of outgoing connections: above
// it, who connects to a port where nobody listens yet can meet himself.
import net from 'node:net';

const first = +(process.env.BENCH_PORTS ?? 20000), count = 900;
let next = process.pid % count;

// A port that nobody listens on and that this process has not been given lately.
export async function freePort() {
  for (let tries = 0; tries < count; tries++) {
    const port = first + next;
    next = (next + 1) % count;
    const s = net.createServer();
    const free = await new Promise((done) => {
      s.once('error', () => done(false));
      s.listen(port, '127.0.0.1', () => s.close(() => done(true)));
    });
    if (free) return port;
  }
  throw new Error(`no free port from ${first} on`);
}
