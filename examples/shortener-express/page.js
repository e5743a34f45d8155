// The pages: plain HTML, one form, no script, nothing from elsewhere; what others wrote is escaped.
'use strict';

const STYLE = 'body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}' +
  'input{width:100%;padding:.5rem;margin:.5rem 0;box-sizing:border-box}' +
  'td,th{text-align:left;padding:.25rem 1rem .25rem 0;overflow-wrap:anywhere}';

function home(latest) {
  const row = ({ id, url, visits }) => `<tr><td><a href="/${escaped(id)}">/${escaped(id)}</a><td>${escaped(url)}<td>${visits}`;
  const table = latest.length === 0
    ? '<p>No links yet.'
    : `<table><tr><th>Link<th>Leads to<th>Visits${latest.map(row).join('')}</table>`;
  return whole('<form method=post action=/links><label>URL to shorten <input type=url name=url required maxlength=2048 ' +
    `placeholder="https://example.com/a/long/path"></label> <button>Shorten</button></form>${table}`);
}

function made(short) {
  return whole(`<p>Your link: <a href="${escaped(short)}">${escaped(short)}</a><p><a href="/">Another one</a>`);
}

function refused(message) {
  return whole(`<p role=alert>${escaped(message)}<p><a href="/">Back</a>`);
}

function whole(main) {
  return '<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">' +
    `<title>Shortener</title><style>${STYLE}</style><h1>Shortener</h1><main>${main}</main></html>\n`;
}

function escaped(text) {
  const named = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return String(text).replace(/[&<>"']/g, (letter) => named[letter]);
}

module.exports = { home, made, refused };
