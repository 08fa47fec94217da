import { defineEventHandler } from 'nitro/deps/h3';

export default defineEventHandler(() => new Response(`made at ${process.hrtime.bigint()}`, { headers: { 'Content-Type': 'text/html' } }));
