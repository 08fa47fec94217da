import { readFileSync } from 'node:fs';

export default defineEventHandler((event) => {
  if (getRouterParam(event, 'id') === 'broken') throw createError({ statusCode: 503 });
  return `${readFileSync(process.env.WORDS!, 'utf8')}, for ${getCookie(event, 'session') ?? 'nobody'}, made at ${process.hrtime.bigint()}`;
});
