import { words } from '../../lib.js';

export const dynamic = 'force-static';

export async function GET() {
  return new Response(`${await words('route')}, made at ${process.hrtime.bigint()}\n`);
}
