// The app on one port, its metrics on a second, fixed one.
const http = require('node:http');

http.createServer((request, response) => response.end(JSON.stringify({ app: 'metrics-port', pid: process.pid }))).listen(3000);
http.createServer((request, response) => response.end('app_requests_total 1\n')).listen(Number(process.env.METRICS_PORT), '127.0.0.1');
