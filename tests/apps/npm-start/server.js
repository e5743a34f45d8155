// Started by the `start` script only: the greeting proves that the script's shell line was run.
const express = require('express');

const app = express();
app.get('/', (request, response) => response.json({ app: 'npm-start', pid: process.pid, greeting: process.env.GREETING }));
app.listen(process.env.PORT || 3000);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {
  console.log(`npm-start got ${signal}`);
  process.exit(0);
});
