// Express without `trust proxy`: works, but sees the proxy as the client.
const express = require('express');

const app = express();
app.get('/', (request, response) => response.json({ app: 'untrusting', pid: process.pid, ip: request.ip }));
app.listen(3000);
