// Says how often it was asked.
import http from 'node:http';

let n = 0;
http.createServer((request, response) => {
  response.setHeader('CDN-Cache-Control', 'max-age=6000');
  response.end(`${request.url} ${++n}`);
}).listen(9000, '127.0.0.1');
