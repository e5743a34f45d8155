// The links: an append-only file of JSON lines that all workers read and write; that of the Rust sample is the same.
// A change is one line, written by one call in append mode, so that lines of several processes do not mix.
'use strict';

const fs = require('node:fs');
const { randomInt } = require('node:crypto');
const { checked } = require('./target');

// The file's bound in bytes; memory is bounded by it too.
const FULL = 8 * 1024 * 1024;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const NEWLINE = 10;

class Full extends Error {}

class Links {
  #file;
  #read = 0;
  #byId = new Map();

  constructor(path) {
    this.#file = fs.openSync(path, 'a+');
  }

  make(url) {
    this.#readOn();
    let id;
    do id = freshId(); while (this.#byId.has(id));
    this.#append({ made: { id, url, created: Math.floor(Date.now() / 1000) } });
    return { id, url };
  }

  find(id) {
    this.#readOn();
    return this.#byId.get(id);
  }

  // Once the file is full visits are no longer counted, and links still work.
  visit(id) {
    try {
      this.#append({ visited: id });
    } catch (error) {
      if (!(error instanceof Full)) throw error;
    }
  }

  // The newest first.
  latest(count) {
    this.#readOn();
    return [...this.#byId.values()].slice(-count).reverse();
  }

  #append(line) {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    if (fs.fstatSync(this.#file).size + bytes.length > FULL) throw new Full('there is no room for more links');
    fs.writeSync(this.#file, bytes);
  }

  // Other workers write too: whatever is new is read, a last line without its end next time.
  #readOn() {
    const length = Math.min(fs.fstatSync(this.#file).size, FULL) - this.#read;
    if (length <= 0) return;
    const news = Buffer.alloc(length);
    const count = fs.readSync(this.#file, news, 0, length, this.#read);
    const whole = news.subarray(0, count).lastIndexOf(NEWLINE) + 1;
    this.#read += whole;
    for (const line of news.toString('utf8', 0, whole).split('\n')) this.#take(line);
  }

  #take(line) {
    let change;
    try {
      change = JSON.parse(line);
    } catch {
      return; // a line that nobody can read costs one link, not the app
    }
    const link = this.#byId.get(change?.visited);
    if (link) link.visits += 1;
    const made = change?.made;
    if (made && !checked(made.url).wrong && !this.#byId.has(made.id)) {
      this.#byId.set(made.id, { id: made.id, url: made.url, created: made.created, visits: 0 });
    }
  }
}

function freshId() {
  return Array.from({ length: 7 }, () => LETTERS[randomInt(LETTERS.length)]).join('');
}

module.exports = { Full, Links };
