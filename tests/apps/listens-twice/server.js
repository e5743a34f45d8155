// One handler on two addresses of the same port, as older dual-stack code does.
const http = require('node:http');

const answer = (request, response) => response.end(JSON.stringify({ app: 'listens-twice', pid: process.pid }));
let up = 0;
const count = () => { up += 1; if (up === 2) console.log('both listen'); };
http.createServer(answer).listen(3000, '127.0.0.1', count);
http.createServer(answer).listen(3000, '::1', count);
