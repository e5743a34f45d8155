// The `start` script names a program of `node_modules/.bin`: it must be on the PATH.
import http from 'node:http';

const app: string = 'pnpm-start';
http.createServer((request, response) => response.end(JSON.stringify({ app, pid: process.pid }))).listen(3000);
