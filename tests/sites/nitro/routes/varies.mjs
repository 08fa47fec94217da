import { defineEventHandler } from 'nitro/deps/h3';

export default defineEventHandler(() => `made at ${process.hrtime.bigint()}`);
