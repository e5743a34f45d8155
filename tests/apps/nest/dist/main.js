// A Nest app as its build leaves it: decorators applied by hand, no TypeScript needed to run it.
require('reflect-metadata');
const { Controller, Get, Module, Req } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');

class HomeController {
  home(request) {
    return { app: 'nest', pid: process.pid, ip: request.ip, protocol: request.protocol, hostname: request.hostname };
  }
}
Reflect.decorate([Get()], HomeController.prototype, 'home', Object.getOwnPropertyDescriptor(HomeController.prototype, 'home'));
Req()(HomeController.prototype, 'home', 0);
Reflect.decorate([Controller()], HomeController);

class AppModule {}
Reflect.decorate([Module({ controllers: [HomeController] })], AppModule);

async function bootstrap() {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  app.set('trust proxy', 1);
  await app.listen(process.env.PORT ?? 3000);
}
bootstrap();
