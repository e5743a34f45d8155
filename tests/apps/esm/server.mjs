// An ESM app with top-level await and named imports of built-ins.
import { createServer } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';

await turn();
const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ app: 'esm', pid: process.pid, host: request.headers.host }));
});
server.listen('3000', () => console.log('esm listens'));
