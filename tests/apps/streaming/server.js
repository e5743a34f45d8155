// Server-sent events, one per step of the client: the next event is written when `/next` is asked for.
const http = require('node:http');

const listeners = new Set();
let number = 0;
http.createServer((request, response) => {
  if (request.url === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.write(': open\n\n');
    listeners.add(response);
    request.on('close', () => listeners.delete(response));
    return;
  }
  if (request.url === '/next') {
    number += 1;
    for (const listener of listeners) listener.write(`data: ${number}\n\n`);
  }
  response.end(JSON.stringify({ app: 'streaming', pid: process.pid, number, listeners: listeners.size }));
}).listen(3000);
