export function load({ setHeaders }) {
  setHeaders({ 'CDN-Cache-Control': 'max-age=600' });
  return { made: String(process.hrtime.bigint()) };
}
