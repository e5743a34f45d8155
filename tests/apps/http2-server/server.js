// Speaks HTTP/2 without TLS.
const http2 = require('node:http2');

http2.createServer((request, response) => response.end('never')).listen(3000);
