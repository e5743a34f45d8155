// Fastify listens twice by itself when asked for `localhost` (127.0.0.1 and ::1).
const fastify = require('fastify')({ trustProxy: 1 });

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
