// Forks its own `cluster`, as many guides teach.
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  console.log('primary branch taken');
  for (let count = 0; count < 2; count += 1) cluster.fork();
} else {
  http.createServer((request, response) => {
    response.end(JSON.stringify({ app: 'own-cluster', pid: process.pid, worker: cluster.worker.id }));
  }).listen(3000);
}
