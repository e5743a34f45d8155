// Express 5 that trusts loopback; listens as the manual shows: a number from the environment or 3000.
const express = require('express');

const app = express();
app.set('trust proxy', 'loopback');
app.get('/', (request, response) => {
  response.json({
    app: 'express5',
    pid: process.pid,
    ip: request.ip,
    protocol: request.protocol,
    hostname: request.hostname,
    remote: request.socket.remoteAddress,
  });
});
const server = app.listen(process.env.PORT || 3000, (error) => {
  if (error) throw error;
  console.log(`express5 listens, port ${typeof server.address().port}`);
});
