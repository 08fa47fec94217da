import { defineEventHandler, readBody } from 'nitro/deps/h3';
import { purge } from '@freshet/nuxt/purge';

export default defineEventHandler(async (event) => (await purge(await readBody(event))).purged);
