// For the bar at the foot of each page: which purges were the latest. Only what freshet was asked to purge leaves this
// machine; its token does not.

import { createClient } from '@freshet/client';
import type { APIRoute } from 'astro';

const SHOWN = 5;

export const GET: APIRoute = async () => {
  const headers = { 'Cache-Control': 'no-store' };
  try {
    const { purges } = await createClient({ timeout: 1000, retries: 0 }).status();
    const latest = purges.latest.slice(0, SHOWN).map(({ time, what }) => ({ time, what: what.replace(/^site \S+: /, '') }));
    return Response.json({ latest }, { headers });
  } catch (error) {
    return Response.json({ latest: null, reason: (error as Error).message }, { headers });
  }
};
