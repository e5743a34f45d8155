// Evaluates an ecosystem file, as PM2 would, and writes what it says as JSON to standard output behind a mark: whatever
// the file prints itself stands before that. Uses nothing newer than Node 18; nothing is judged here.
'use strict';

const fs = require('fs');
const { pathToFileURL } = require('url');
const [file, mark] = process.argv.slice(-2);

async function evaluate() {
  if (/\.json$/i.test(file)) {
    // with comments and trailing commas, too: PM2 reads it as JavaScript
    const text = fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
    return (0, eval)(`(${text}\n)`);
  }
  const module = await import(pathToFileURL(file).href);
  return 'default' in module ? module.default : { ...module };
}

function plain(_, value) {
  if (value instanceof RegExp) return String(value);
  return typeof value === 'bigint' ? String(value) : value;
}

function write(text) {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length;) {
    try {
      done += fs.writeSync(1, bytes, done);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

evaluate().then((found) => {
  if (typeof found === 'function') throw new Error('it exports a function instead of the apps');
  write(mark + (JSON.stringify(found, plain) || 'null'));
  process.exit(0);
}).catch((error) => {
  fs.writeSync(2, `${(error && error.stack) || error}\n`);
  process.exit(1);
});
