// The answer tells whether the user's NODE_OPTIONS came through, here and in a child of the app.
const { execFileSync } = require('node:child_process');
const http = require('node:http');

http.createServer((request, response) => {
  const child = request.url === '/child'
    ? execFileSync(process.execPath, ['-p', 'JSON.stringify(process.env.NODE_OPTIONS ?? "")'], { encoding: 'utf8' }).trim()
    : undefined;
  response.end(JSON.stringify({
    app: 'node-options',
    pid: process.pid,
    preload: globalThis.ownPreload,
    options: process.env.NODE_OPTIONS ?? '',
    child,
  }));
}).listen(3000);
