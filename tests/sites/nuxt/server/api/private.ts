export default defineEventHandler((event) => {
  setHeader(event, 'Cache-Control', 'private');
  return `made at ${process.hrtime.bigint()}`;
});
