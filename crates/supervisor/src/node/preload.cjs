// Loaded by Node before the app (`NODE_OPTIONS=--require`). It moves the app's port to the worker's Unix socket and
// tells the control plane what the app did. It must never throw into the app, never keep it alive, and use nothing
// newer than Node 18. No traffic is looked at here.
'use strict';

(() => {
  const worker_threads = require('worker_threads');
  const env = process.env;
  const path = env.MAINSTAY_INTERNAL_LISTEN_PATH;
  if (!worker_threads.isMainThread || !path) return;

  const fs = require('fs');
  const net = require('net');
  const index = Number(env.MAINSTAY_INTERNAL_WORKER) || 0;
  const workers = Number(env.MAINSTAY_INTERNAL_WORKERS) || 1;
  const control = env.MAINSTAY_INTERNAL_CONTROL_PATH;
  const configured = portNumber(env.MAINSTAY_INTERNAL_PORT);
  const reportEvery = Number(env.MAINSTAY_INTERNAL_REPORT_EVERY) || 0; // milliseconds; 0: nobody wants it
  const statsEvery = Number(env.MAINSTAY_INTERNAL_STATS_EVERY) || 5000; // milliseconds
  const ownOptions = env.MAINSTAY_INTERNAL_NODE_OPTIONS || '';

  const listen = net.Server.prototype.listen;
  const address = net.Server.prototype.address;
  const shown = Symbol('mainstay.address');   // on a moved server: what address() answers
  let main = null;                            // the server that has the worker's socket
  let port = null;                            // the app's port, once it is known
  let absorbed = 0;
  let clients = 0;

  // ---- telling -----------------------------------------------------------------------------------------------------

  // A FIFO: one write per message, whole or not at all (below PIPE_BUF), no handle in the event loop, and it works from
  // any process of the tree. A message that cannot be written is lost; nothing may go wrong because of it.
  let pipe = -1;
  function tell(word, more) {
    try {
      if (!control) return;
      if (pipe < 0) pipe = fs.openSync(control, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
      const line = JSON.stringify({ mainstay: word, pid: process.pid, ...more }) + '\n';
      if (line.length <= 4096) fs.writeSync(pipe, line);
    } catch { /* the control plane is gone or busy */ }
  }

  // ---- listening ---------------------------------------------------------------------------------------------------

  net.Server.prototype.listen = function (...args) {
    let asked = null;
    try { asked = askedFor(args); } catch { /* Node will complain in its own words */ }
    if (asked === null) return listen.apply(this, args);
    if (asked.port === 0) {
      if (main === null && kindOf(this) !== 'net') tell('random_port');
      return listen.apply(this, args);
    }
    const kind = kindOf(this);
    const wanted = configured ?? portNumber(process.env.PORT) ?? port ?? (kind === 'net' ? null : asked.port);
    if (asked.port !== wanted) return extra(this, asked, args);
    if (kind === 'https' || kind === 'http2') return refuse(this, asked, kind);
    if (main !== null && main.listening) return move(this, asked, `${path}.${++absorbed}`);
    // Whoever bound the socket first has it: another process of this tree, if it is not us.
    if (main === null && fs.existsSync(path)) return listen.apply(this, args);
    main = this;
    port = asked.port;
    this.once('listening', () => begin(this, asked, kind));
    return move(this, asked, path);
  };

  // What a call of listen() asks for; null when it is not about a TCP port.
  function askedFor(args) {
    const callback = typeof args[args.length - 1] === 'function' ? args[args.length - 1] : undefined;
    const first = args[0];
    if (first !== null && typeof first === 'object') {
      if (first._handle || first.handle || first.fd !== undefined || first.path !== undefined) return null;
      if (typeof first.port !== 'number' && typeof first.port !== 'string' && first.port != null) return null;
      const number = first.port == null ? 0 : portNumber(first.port, 0);
      return { port: number, host: first.host, backlog: first.backlog, signal: first.signal, callback };
    }
    if (typeof first === 'string' && portNumber(first, 0) === null) return null; // a Unix socket's path
    const number = typeof first === 'number' || typeof first === 'string' ? portNumber(first, 0) : 0;
    const host = typeof args[1] === 'string' ? args[1] : undefined;
    const backlog = [args[1], args[2]].find((value) => typeof value === 'number');
    return { port: number, host, backlog, callback };
  }

  // 1 to 65535, or `least`; null for anything else.
  function portNumber(value, least = 1) {
    if (value === undefined || value === null || String(value).trim() === '') return null;
    const number = Number(value);
    return Number.isInteger(number) && number >= least && number <= 65535 ? number : null;
  }

  // Told by what servers can do, so that neither TLS nor HTTP/2 is loaded for an app that has none.
  function kindOf(server) {
    if (typeof server.updateSettings === 'function') return 'http2';
    if (typeof server.setSecureContext === 'function') return 'https';
    return server instanceof require('http').Server ? 'http' : 'net';
  }

  function move(server, asked, to) {
    const host = asked.host === 'localhost' ? '127.0.0.1' : asked.host;
    const literal = net.isIP(host || '') ? host : host ? '0.0.0.0' : '::';
    server[shown] = { address: literal, family: `IPv${net.isIP(literal)}`, port: asked.port };
    const options = { path: to, exclusive: true, backlog: Math.max(asked.backlog || 0, 1024) };
    if (asked.signal) options.signal = asked.signal;
    // The socket is bound within listen(): its group, which is the gateway's, may connect from the first moment.
    const umask = process.umask(0o117);
    try { return listen.call(server, options, asked.callback); } finally { process.umask(umask); }
  }

  net.Server.prototype.address = function () {
    const real = address.call(this);
    return typeof real === 'string' && this[shown] ? { ...this[shown] } : real;
  };

  // A second port is the app's own business, as long as there is one worker. With more, worker 0 keeps it.
  function extra(server, asked, args) {
    const givenUp = workers > 1 && index > 0;
    server.once('listening', () => tell('extra_port', { port: asked.port, given_up: givenUp }));
    return givenUp ? move(server, asked, `${path}.${++absorbed}`) : listen.apply(server, args);
  }

  function refuse(server, asked, kind) {
    tell('refused', { port: asked.port, server: kind });
    const error = new Error(
      `Mainstay ends TLS and HTTP/2 in front of the app: let it use http.createServer() on port ${asked.port} ` +
      `instead of ${kind === 'https' ? 'https.createServer()' : 'an http2 server'}`);
    error.code = 'ERR_MAINSTAY_SERVER';
    process.nextTick(() => server.emit('error', error));
    return server;
  }

  // The app's own server listens: this process is the worker.
  function begin(server, asked, kind) {
    leaveEnvironment();
    if (!server[begin.done]) {
      server[begin.done] = true;
      server.prependListener('connection', (socket) => fromLoopback(socket, server[shown]));
    }
    const report = () => tell('listening', {
      port: asked.port, address: server[shown].address, server: kind, trust: trustOf(server),
    });
    // The first report, before it can be given work: from then on its silence is noticed.
    if (!begin.measuring) {
      begin.measuring = true;
      measure();
    }
    // Libraries that look for a free port listen for a moment with a bare server; wait until it is meant.
    if (kind === 'net') setTimeout(() => server.listening && report(), 50);
    else report();
  }
  begin.done = Symbol('mainstay.begun');

  // Over a Unix socket Node knows no addresses; the app sees what it would see behind any proxy on this machine.
  function fromLoopback(socket, local) {
    clients = (clients + 1) % 28232;
    socket._peername = { address: '127.0.0.1', family: 'IPv4', port: 32768 + clients };
    socket._getsockname = () => ({ address: '127.0.0.1', family: 'IPv4', port: local.port });
  }

  // Whether an Express app believes loopback, so that req.ip is the client; null if there is no Express to be seen.
  function trustOf(server) {
    try {
      const app = server.listeners('request').find((f) => typeof f.get === 'function' && f.settings);
      const trusts = app && app.get('trust proxy fn');
      return typeof trusts === 'function' ? Boolean(trusts('127.0.0.1', 0)) : null;
    } catch {
      return null;
    }
  }

  // What the app starts from here on is none of our business.
  function leaveEnvironment() {
    const options = process.env.NODE_OPTIONS || '';
    if (ownOptions && options.startsWith(ownOptions)) {
      const rest = options.slice(ownOptions.length).trim();
      if (rest) process.env.NODE_OPTIONS = rest;
      else delete process.env.NODE_OPTIONS;
    }
    for (const name of Object.keys(process.env)) {
      // The mark of the tree stays: by it the processes below are found at the end.
      if (name.startsWith('MAINSTAY_') && name !== 'MAINSTAY_INTERNAL_TREE') delete process.env[name];
    }
  }

  // ---- measuring ---------------------------------------------------------------------------------------------------

  // A short word as often as we were told, by which a loop that stands still is noticed; numbers more rarely.
  function measure() {
    const { performance, PerformanceObserver } = require('perf_hooks');
    const beats = reportEvery > 0;
    const every = beats ? reportEvery / 2 : 500;
    const ticksEach = Math.max(1, Math.round(statsEvery / every));
    let gc = 0;
    let lag = 0;
    let ticks = 0;
    let last = performance.now();
    let utilization = performance.eventLoopUtilization();
    try {
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) gc += entry.duration;
      }).observe({ entryTypes: ['gc'] });
    } catch { /* not offered by this runtime */ }
    if (beats) beat();
    setInterval(() => {
      const now = performance.now();
      lag = Math.max(lag, now - last - every);
      last = now;
      ticks++;
      if (beats && ticks % 2 === 0) beat();
      if (ticks % ticksEach !== 0) return;
      const current = performance.eventLoopUtilization();
      const memory = process.memoryUsage();
      tell('stats', {
        lag, gc, busy: performance.eventLoopUtilization(current, utilization).utilization,
        heap_used: memory.heapUsed, heap_total: memory.heapTotal, external: memory.external, rss: memory.rss,
        handles: process.getActiveResourcesInfo ? process.getActiveResourcesInfo().length : 0,
      });
      utilization = current;
      lag = gc = 0;
    }, every).unref();
  }

  // Whoever debugs the app may stop it for as long as he likes.
  function beat() {
    if (beat.inspector === undefined) {
      try { beat.inspector = require('inspector'); } catch { beat.inspector = null; }
    }
    const inspected = Boolean(beat.inspector && beat.inspector.url());
    tell('beat', inspected ? { inspected } : undefined);
  }

  // ---- cluster -----------------------------------------------------------------------------------------------------

  // An app that forks one worker per core takes its worker branch at once: the forking is ours. Libraries that only ask
  // where they run (loggers that write through the primary, say) hear the truth, those that fork do not.
  const forkers = /[\\/]node_modules[\\/](throng|sticky-session|cluster-service|recluster|@socket\.io[\\/]sticky)[\\/]/;

  function joinCluster() {
    const cluster = require('cluster');
    if (process.env.NODE_UNIQUE_ID !== undefined || cluster.isWorker) return; // a real one, and not ours
    const self = clusterWorker(cluster);
    const answer = (name, truth, pretended) => {
      let value = truth;
      Object.defineProperty(cluster, name, {
        configurable: true,
        enumerable: true,
        set(next) { value = pretended = next; },
        get: function get() {
          const asker = askerOf(get);
          if (asker === 'app') told();
          return asker === 'library' ? value : pretended;
        },
      });
    };
    answer('isPrimary', true, false);
    answer('isMaster', true, false);
    answer('isWorker', false, true);
    answer('worker', undefined, self);
    require('module').syncBuiltinESMExports();
    const fork = cluster.fork;
    cluster.fork = function (...args) {
      told();
      return fork.apply(this, args);
    };
    if (importsByName()) told();
  }

  function told() {
    if (!told.once) tell('cluster');
    told.once = true;
  }

  // Who reads a property: the app, a library (Node's own `net` is one), or Node when it makes the named exports.
  function askerOf(getter) {
    const { stackTraceLimit, prepareStackTrace } = Error;
    try {
      Error.stackTraceLimit = 1;
      Error.prepareStackTrace = (_, sites) => (sites[0] && sites[0].getFileName()) || '';
      const place = {};
      Error.captureStackTrace(place, getter);
      const file = String(place.stack);
      if (file.startsWith('node:internal/bootstrap/')) return 'exports';
      if (file.startsWith('node:')) return 'library';
      return /[\\/]node_modules[\\/]/.test(file) && !forkers.test(file) ? 'library' : 'app';
    } catch {
      return 'app';
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
      Error.prepareStackTrace = prepareStackTrace;
    }
  }

  function clusterWorker(cluster) {
    const self = Object.assign(new (require('events'))(), {
      id: index + 1,
      process,
      state: 'online',
      exitedAfterDisconnect: undefined,
      send: (...args) => (process.send ? process.send(...args) : false),
      isDead: () => false,
      isConnected: () => Boolean(process.connected),
      disconnect() { if (process.connected) process.disconnect(); return self; },
      kill: (signal) => process.kill(process.pid, signal || 'SIGTERM'),
      destroy: (signal) => process.kill(process.pid, signal || 'SIGTERM'),
    });
    if (cluster.Worker) Object.setPrototypeOf(self, cluster.Worker.prototype);
    return self;
  }

  // `import { isPrimary } from 'cluster'` copies the value and cannot be seen being read; the entry's text can.
  function importsByName() {
    try {
      const entry = process.argv[1];
      if (!entry || /[\\/]node_modules[\\/]/.test(entry) || fs.statSync(entry).size > 1 << 20) return false;
      return /import\s[^;]*\bis(Primary|Master)\b[^;]*from\s*['"](node:)?cluster['"]/.test(fs.readFileSync(entry, 'utf8'));
    } catch {
      return false;
    }
  }

  try {
    joinCluster();
  } catch { /* the app forks on its own then */ }
})();
