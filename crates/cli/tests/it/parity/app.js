// Misbehaves as its first word says, and writes down what it sees: one line of JSON for each thing.
const fs = require('fs');
const name = process.env.name || 'none';
const trace = process.env.TRACE + '/' + name;
const tell = (event, more) => fs.appendFileSync(trace, JSON.stringify({ event, pid: process.pid, at: Date.now(), ...more }) + '\n');
const starts = () => fs.readFileSync(trace, 'utf8').split('\n').filter((line) => line.includes('"start"')).length;
const told = ['NODE_APP_INSTANCE', 'MY_NUMBER', 'name', 'namespace', 'instances', 'exec_mode', 'OWN', 'ONLY_PRODUCTION', 'SECRET_KEY', 'METRICS_PORT', 'NODE_ENV'];
tell('start', {
  args: process.argv.slice(2), node: process.execArgv.filter((word) => !word.includes('preload')), folder: require('path').basename(process.cwd()),
  env: Object.fromEntries(told.map((key) => [key, process.env[key]])),
});
setInterval(() => {}, 1000);
// long enough for everybody to call the first start one that came up
const life = starts() === 1 ? 4000 : 700;
const behaviour = {
  lives() {},
  crashes_once_up() { setTimeout(() => process.exit(1), starts() === 1 ? 4000 : 0); },
  crashes_later() { setTimeout(() => { tell('ends'); process.exit(1); }, life); },
  throws() { setTimeout(() => { throw new Error('a fault'); }, life); },
  ends() { setTimeout(() => process.exit(0), life); },
  ends_with_7() { setTimeout(() => process.exit(7), life); },
  grows() { globalThis.kept = []; const timer = setInterval(() => kept.push(Buffer.alloc(20 << 20, 1)) > 8 && clearInterval(timer), 100); },
  listens_to_signals() {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGUSR2']) process.on(signal, () => { tell(signal); if (signal !== 'SIGUSR2') process.exit(0); });
    process.on('message', (message) => { tell('message', { message: typeof message === 'string' ? message : JSON.stringify(message) }); process.exit(0); });
  },
  ignores() { for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tell(signal)); },
  has_children() {
    const child = require('child_process').spawn('sleep', ['1000'], { stdio: 'ignore' });
    tell('child', { child: child.pid });
  },
  says_ready() { setTimeout(() => { tell('says ready'); process.send('ready'); }, 1000); },
};
behaviour[process.argv[2]]();
