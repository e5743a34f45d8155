// express-rate-limit complains in the log when the forwarded headers and `trust proxy` do not fit.
const express = require('express');
const { rateLimit } = require('express-rate-limit');
const helmet = require('helmet');

const app = express();
app.set('trust proxy', 1);
app.use(helmet());
app.use(rateLimit({ windowMs: 60_000, limit: 50, standardHeaders: 'draft-8', legacyHeaders: false }));
app.get('/', (request, response) => response.json({ app: 'rate-limited', pid: process.pid, ip: request.ip }));
app.listen(3000);
