// Koa believes the forwarded headers once `proxy` is on.
const Koa = require('koa');

const Application = Koa.default ?? Koa;
const app = new Application({ proxy: true, maxIpsCount: 1 });
app.use(async (context) => {
  context.body = {
    app: 'koa',
    pid: process.pid,
    ip: context.ip,
    protocol: context.protocol,
    hostname: context.hostname,
  };
});
app.listen(3000);
