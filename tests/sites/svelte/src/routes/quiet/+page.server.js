export function load({ setHeaders }) {
  setHeaders({ 'Cache-Control': 'private, max-age=60' });
  return { made: String(process.hrtime.bigint()) };
}
