// Where a short link may lead: an absolute http or https URL that is safe in `Location` and in a page.
'use strict';

const LONGEST = 2048;

// Returns `{ url }`, or `{ wrong }` with the reason.
function checked(text) {
  const url = typeof text === 'string' ? text.trim() : '';
  if (!url) return { wrong: '`url` is missing; send JSON such as {"url": "https://example.com/"} or a form' };
  if (Buffer.byteLength(url) > LONGEST) return { wrong: '`url` is longer than 2048 bytes' };
  const [, host] = /^https?:\/\/([^/?#]*)/i.exec(url) ?? [];
  if (host === undefined) return { wrong: '`url` must begin with http:// or https://' };
  if (!host || host.startsWith(':')) return { wrong: '`url` names no host' };
  if (host.includes('@')) return { wrong: '`url` carries a user name; leave it out' };
  if (/[^!-~]|["<>\\^`{|}]/.test(url)) return { wrong: '`url` contains a character that must be percent-encoded' };
  return { url };
}

module.exports = { checked };
