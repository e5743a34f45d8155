// Meant to run under `node --inspect`: the inspector's own listener must be left alone.
const http = require('node:http');
const inspector = require('node:inspector');

http.createServer((request, response) => {
  response.end(JSON.stringify({ app: 'inspect', pid: process.pid, inspector: inspector.url() !== undefined }));
}).listen(3000);
