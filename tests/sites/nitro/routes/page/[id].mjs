import { defineEventHandler, getCookie } from 'nitro/deps/h3';
import { addTags } from '@freshet/nuxt/tags';

export default defineEventHandler((event) => {
  addTags(event, `post-${event.context.params.id}`);
  return `page for ${getCookie(event, 'session') ?? 'nobody'}, made at ${process.hrtime.bigint()}`;
});
