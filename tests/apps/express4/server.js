// Express 4 behind one trusted hop: the everyday app, port written in the code.
const express = require('express4');

const app = express();
app.set('trust proxy', 1);
app.use(express.json());
app.get('/', (request, response) => {
  response.json({
    app: 'express4',
    pid: process.pid,
    instance: process.env.NODE_APP_INSTANCE,
    environment: process.env.NODE_ENV,
    ip: request.ip,
    protocol: request.protocol,
    hostname: request.hostname,
    secure: request.secure,
  });
});
app.post('/echo', (request, response) => response.json(request.body));
app.get('/boom', () => { throw new Error('the database password is hunter2'); });
app.listen(3000, () => console.log('express4 listens'));
