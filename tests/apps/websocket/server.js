// A WebSocket echo on `/echo` beside a plain answer on every other path.
const http = require('node:http');
const { WebSocketServer } = require('ws');

const server = http.createServer((request, response) => response.end(JSON.stringify({ app: 'websocket', pid: process.pid })));
const sockets = new WebSocketServer({ server, path: '/echo' });
sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${data}`)));
server.listen(3000);
