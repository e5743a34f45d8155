// A URL shortener as many would write it: it listens on a port of its own and knows nothing of Mainstay.
'use strict';

const express = require('express');
const { Full, Links } = require('./links');
const page = require('./page');
const { checked } = require('./target');

const links = new Links(process.env.SHORTENER_LINKS || 'links.jsonl');
const app = express();
// the address, host and scheme that the gateway on this machine saw
app.set('trust proxy', 'loopback');
app.use(express.json({ limit: '8kb' }), express.urlencoded({ extended: false, limit: '8kb' }));

app.get('/', (request, response) => response.send(page.home(links.latest(10))));

app.route('/links')
  .get((request, response) => response.json(links.latest(50)))
  .post((request, response) => {
    const browser = request.get('accept')?.includes('text/html');
    if (!request.is(['json', 'urlencoded'])) return fail(response, 415, 'send `application/json` or a form');
    const { url, wrong } = checked(request.body?.url);
    if (wrong) return browser ? response.status(400).send(page.refused(wrong)) : fail(response, 400, wrong);
    const link = links.make(url);
    const short = `${request.protocol}://${request.get('host')}/${link.id}`;
    response.status(201).location(`/links/${link.id}`);
    return browser ? response.send(page.made(short)) : response.json({ id: link.id, url, short });
  })
  .all((request, response) => refuseMethod(response, 'GET, HEAD, POST'));

app.get('/links/:id', (request, response) => {
  const link = links.find(request.params.id);
  return link ? response.json(link) : fail(response, 404, 'no such link');
});

// Takes its time, so that there is something to see while it is reloaded or stopped.
app.get('/slow', (request, response) => {
  const asked = Number.parseInt(request.query.ms, 10);
  const delay = Math.min(Number.isNaN(asked) ? 2000 : Math.max(asked, 0), 10_000);
  setTimeout(() => response.json({ waited_ms: delay, worker: process.pid }), delay);
});

// What many apps send when something breaks; nobody outside should ever read it.
app.get('/boom', (request, response) => {
  response.status(500).type('text').send(
    'Error: connect ECONNREFUSED 10.0.0.5:5432\n    at Links.query (/srv/app/src/links.js:42:11)\n' +
    '    at async handle (/srv/app/src/server.js:17:5)\nDATABASE_URL=postgres://app:hunter2@10.0.0.5/links\n');
});

app.get('/:id', (request, response) => {
  const link = links.find(request.params.id);
  if (!link) return fail(response, 404, 'no such link');
  links.visit(link.id);
  return response.set('Cache-Control', 'no-store').redirect(302, link.url);
});

app.use((request, response) => {
  if (request.method === 'GET' || request.method === 'HEAD') return fail(response, 404, 'no such link');
  return refuseMethod(response, 'GET, HEAD');
});

// Express knows an error handler by its four parameters.
app.use((error, request, response, next) => {
  if (response.headersSent) return next(error);
  if (error.type === 'entity.too.large') return fail(response, 413, 'the body is longer than 8 KiB');
  if (error.status >= 400 && error.status < 500) return fail(response, error.status, 'the request cannot be read');
  if (error instanceof Full) return fail(response, 507, error.message);
  console.error(error);
  return fail(response, 500, 'the links cannot be read or written');
});

function fail(response, status, message) {
  return response.status(status).json({ error: { message, status } });
}

function refuseMethod(response, allowed) {
  return fail(response.set('Allow', allowed), 405, 'that method does nothing here');
}

const server = app.listen(process.env.PORT || 3000);
process.on('SIGTERM', () => server.close());
