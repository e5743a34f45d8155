// No framework: `node:http`, options form of listen.
const http = require('node:http');

const server = http.createServer((request, response) => {
  const answer = JSON.stringify({
    app: 'node-http',
    pid: process.pid,
    url: request.url,
    forwarded_for: request.headers['x-forwarded-for'],
    forwarded_proto: request.headers['x-forwarded-proto'],
    host: request.headers.host,
    remote: request.socket.remoteAddress,
  });
  if (request.method === 'POST') {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    request.pipe(response);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
  response.end(answer);
});
server.listen({ port: 3000, host: '0.0.0.0' });
