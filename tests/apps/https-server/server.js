// Speaks TLS itself; no certificate is needed to listen.
const https = require('node:https');

https.createServer({}, (request, response) => response.end('never')).listen(3000);
