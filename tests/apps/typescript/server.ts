// TypeScript that Node's own stripping can run, and tsx where Node is too old for it.
import http, { type IncomingMessage, type ServerResponse } from 'node:http';

interface Answer { app: string; pid: number }

function answer(_request: IncomingMessage, response: ServerResponse): void {
  const body: Answer = { app: 'typescript', pid: process.pid };
  response.end(JSON.stringify(body));
}
http.createServer(answer).listen(3000);
