// Fastify listens twice by itself when asked for `localhost`. It ignores a hop count: it trusts addresses only.
const fastify = require('fastify')({ trustProxy: 'loopback' });

fastify.get('/', async (request) => ({
  app: 'fastify',
  pid: process.pid,
  ip: request.ip,
  protocol: request.protocol,
  hostname: request.hostname,
}));
fastify.listen({ port: 3000 }).catch((error) => {
  console.error(error);
  process.exit(1);
});
