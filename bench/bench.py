#!/usr/bin/env python3
"""Side-by-side CPU cost per request of proxies, in one run, interleaved.

A server's cost is the CPU time of its whole process tree (/proc/PID/task/*/schedstat) divided by the
requests that the load generator completed. The server is pinned to CPU 1; origin and load to CPU 0.

  bench.py SCENARIO NAME,NAME,... [--rounds 5] [--secs 3] [--conc 64]
  scenarios: proxy (small JSON), cache (a hit), big (64 KiB), tls, h2, gzip (64 KiB JSON compressed), idle (memory per idle connection)
  names: mainstay, nginx, haproxy, caddy, h2o, varnish as bare proxies; nginx+ and haproxy+ with the production set on.

Run it from the project's root. Needs nginx haproxy h2o varnish caddy wrk nghttp2-client openssl (Debian's packages).
Quote medians and ratios, never one absolute figure: machines are often shared. Ratios below 5 % apart are a tie.
"""
import argparse, glob, json, os, re, signal, socket, statistics, subprocess, tempfile, time, urllib.request
HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.environ.get('BENCH_DIR', os.path.join(tempfile.gettempdir(), 'mainstay-bench'))
PEERS = {  # name: (command, plain port, tls port, tree of extra process names)
    'nginx': (['nginx', '-c', f'{RUN}/nginx.conf'], 8101, None),
    'nginx+': (['nginx', '-c', f'{RUN}/nginx.conf'], 8111, 8411),
    'haproxy': (['haproxy', '-f', f'{RUN}/haproxy.cfg'], 8102, None),
    'haproxy+': (['haproxy', '-f', f'{RUN}/haproxy.cfg'], 8112, 8412),
    'caddy': (['caddy', 'run', '--config', f'{RUN}/Caddyfile', '--adapter', 'caddyfile'], 8103, None),
    'h2o': (['h2o', '-c', f'{RUN}/h2o.conf'], 8104, None),
    'varnish': (['varnishd', '-F', '-a', '127.0.0.1:8108', '-f', f'{RUN}/default.vcl', '-n', f'{RUN}/varnish'], 8108, None),
}
# the project's own entry: bench/mainstay.toml in the checkout, with everything on that nginx+ and haproxy+ have on
# (security headers, rate limit, JSON access log, metrics, request id, compression), one gateway thread, RUN as below
PEERS['mainstay'] = ([os.environ.get('MAINSTAY', 'target/release/mainstay'), 'run', '-c', f'{RUN}/mainstay.toml'], 8121, 8421)
for extra in filter(None, os.environ.get('BENCH_PEERS', '').split(';')):   # name=port=command line
    n, port, cmd = extra.split('=', 2)
    PEERS[n] = (cmd.split(), int(port), None)
PATHS = {'proxy': '/', 'cache': '/c', 'big': '/f/64k.txt', 'tls': '/', 'h2': '/', 'idle': '/', 'gzip': '/f/64k.json'}

def setup():
    os.makedirs(f'{RUN}/www', exist_ok=True)
    if os.path.exists('bench/mainstay.toml'):
        open(f'{RUN}/mainstay.toml', 'w').write(open('bench/mainstay.toml').read().replace('RUN', RUN))
    for f in os.listdir(f'{HERE}/peers'):
        open(f'{RUN}/{f}', 'w').write(open(f'{HERE}/peers/{f}').read().replace('RUN', RUN))
    if not os.path.exists(f'{RUN}/both.pem'):
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=localhost',
                        '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', f'{RUN}/key.pem', '-out', f'{RUN}/cert.pem'], check=True, capture_output=True)
        open(f'{RUN}/both.pem', 'w').write(open(f'{RUN}/cert.pem').read() + open(f'{RUN}/key.pem').read())
    if not os.path.exists(f'{RUN}/www/64k.json'):
        import random; random.seed(7)
        rows = []
        while len(json.dumps(rows)) < 65536:
            rows.append({'id': len(rows), 'name': random.choice(['ada', 'bob', 'cy', 'dee']) + str(random.randrange(9999)), 'score': random.random(), 'ok': random.random() > .5})
        open(f'{RUN}/www/64k.json', 'w').write(json.dumps(rows)); open(f'{RUN}/www/64k.txt', 'w').write(json.dumps(rows))

def tree(pid):
    out = [pid]
    for f in glob.glob(f'/proc/{pid}/task/*/children'):
        try: out += [q for c in open(f).read().split() for q in tree(int(c))]
        except OSError: pass
    return out

def cpu(pids):
    total = 0
    for p in pids:
        for f in glob.glob(f'/proc/{p}/task/*/schedstat'):
            try: total += int(open(f).read().split()[0])
            except OSError: pass
    return total

def rss(pids):
    kb = 0
    for p in pids:
        try: kb += int(re.search(r'Pss:\s+(\d+)', open(f'/proc/{p}/smaps_rollup').read()).group(1))
        except (OSError, AttributeError): pass
    return kb

def load(scn, port, tls, secs, conc):
    path = PATHS[scn]
    if scn == 'h2':
        o = subprocess.run(['taskset', '-c', '0', 'h2load', '-t1', f'-c{conc}', '-m8', f'-D{secs}', f'https://127.0.0.1:{tls}{path}'], capture_output=True, text=True).stdout
        m = re.search(r'status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx', o)
        ok = int(m.group(1)) if m else 0
        bad = sum(map(int, m.groups()[1:])) if m else -1
        return ok + max(bad, 0), ok / secs, '-', bad
    url = f'https://127.0.0.1:{tls}{path}' if scn == 'tls' else f'http://127.0.0.1:{port}{path}'
    extra = ['-H', 'Accept-Encoding: gzip'] if scn == 'gzip' else []
    o = subprocess.run(['taskset', '-c', '0', 'wrk', '-t1', f'-c{conc}', f'-d{secs}s', '--latency', *extra, url], capture_output=True, text=True).stdout
    n = re.search(r'(\d+) requests in', o); r = re.search(r'Requests/sec:\s+([\d.]+)', o); p = re.search(r'99%\s+(\S+)', o); b = re.search(r'Non-2xx or 3xx responses: (\d+)', o)
    return (int(n.group(1)) if n else 0, float(r.group(1)) if r else 0, p.group(1) if p else '-', int(b.group(1)) if b else 0)

def size(port, path):
    request = urllib.request.Request(f'http://127.0.0.1:{port}{path}', headers={'Accept-Encoding': 'gzip'})
    with urllib.request.urlopen(request) as answer:
        return len(answer.read())

def idle(port, count):
    conns = []
    for _ in range(count):
        s = socket.create_connection(('127.0.0.1', port)); s.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'); s.recv(65536); conns.append(s)
    return conns

def main():
    a = argparse.ArgumentParser(); a.add_argument('scenario', choices=PATHS); a.add_argument('names'); a.add_argument('--rounds', type=int, default=5); a.add_argument('--secs', type=int, default=3); a.add_argument('--conc', type=int, default=64)
    a = a.parse_args(); names = a.names.split(','); setup()
    procs, res, owner = {}, {n: [] for n in names}, {}
    origin = subprocess.Popen(['taskset', '-c', '0', 'nginx', '-c', f'{RUN}/origin.conf'], stderr=subprocess.DEVNULL)
    try:
        for n in names:
            key = ' '.join(PEERS[n][0])
            if key not in procs:
                procs[key] = subprocess.Popen(['taskset', '-c', '1'] + PEERS[n][0], stdout=open(f'{RUN}/{n}.out', 'w'), stderr=subprocess.STDOUT, env=dict(os.environ, GOMAXPROCS='1'))
            owner[n] = procs[key]
        time.sleep(3)
        if a.scenario == 'idle':
            for n in names:
                pids = tree(owner[n].pid); load('proxy', PEERS[n][1], None, 1, 64); before = rss(pids); c = idle(PEERS[n][1], 5000); time.sleep(1); after = rss(pids)
                print(f'{n:11s} {(after - before) / 5000:7.2f} KiB per idle connection (rss {before // 1024} -> {after // 1024} MiB)', flush=True); [s.close() for s in c]; time.sleep(1)
            return
        for n in names: load(a.scenario, PEERS[n][1], PEERS[n][2], 1, a.conc)
        if a.scenario == 'gzip':   # a cheaper answer that is larger would be no saving
            for n in names: print(f'{n:11s} {size(PEERS[n][1], PATHS["gzip"]):6d} bytes', flush=True)
        for r in range(a.rounds):
            for n in (names if r % 2 == 0 else names[::-1]):   # alternating order: a fixed one fakes gains
                pids = tree(owner[n].pid); c0 = cpu(pids); t0 = time.time()
                q, rps, p99, bad = load(a.scenario, PEERS[n][1], PEERS[n][2], a.secs, a.conc)
                used = cpu(pids) - c0
                if not q: print(f'{n}: no requests completed'); continue
                res[n].append((used / q / 1000, rps)); print(f'{r} {n:11s} {used / q / 1000:8.2f} us/req {rps:9.0f} req/s busy {used / 1e9 / (time.time() - t0):4.2f} p99 {p99} pss {rss(pids) // 1024} MiB bad {bad}', flush=True)
    finally:
        for p in [*procs.values(), origin]:
            p.send_signal(signal.SIGTERM)
        for p in [*procs.values(), origin]:
            try: p.wait(5)
            except subprocess.TimeoutExpired: p.kill()
    print('median'); first = None
    for n in names:
        if res[n]:
            m = statistics.median(x[0] for x in res[n]); first = first or m
            print(f'  {n:11s} {m:8.2f} us/req  {statistics.median(x[1] for x in res[n]):9.0f} req/s  x{m / first:.2f} of {names[0]}')
main()
