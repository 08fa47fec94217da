import { HTTPError, defineEventHandler } from 'nitro/deps/h3';

export default defineEventHandler(() => {
  throw new HTTPError({ status: 404 });
});
