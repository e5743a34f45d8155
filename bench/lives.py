#!/usr/bin/env python3
"""How long until a killed worker has a successor that answers: Mainstay beside PM2, in one run, in turns.

Both run the same Express app with two workers. In each round, for each of them: one worker is killed (SIGKILL), and the app
is asked again and again until a process answers that was not there before. Beside them, in the same round, the app's own start:
from `node server.js` to its first answer, with nobody around it. What is left after that is what the supervisor adds.

Before that, how long each takes from its start to the app's first answer; after it, what a hundred apps that only sleep cost: memory
(shared pages counted by their share) and CPU of whoever supervises them.

  lives.py [--rounds 10] [--workers 2] [--starts 5] [--idle 100]

Run it from the project's root, or as `cargo xtask bench lives`, which installs PM2 and builds Mainstay.
Quote medians and ratios, never one absolute figure: machines are often shared.
"""
import argparse, http.client, json, os, re, shutil, signal, socket, statistics, subprocess, tempfile, threading, time

PACKAGES = os.path.abspath(os.environ.get('BENCH_PM2', 'target/test-packages/pm2/node_modules'))
MAINSTAY = os.path.abspath(os.environ.get('MAINSTAY', 'target/release/mainstay'))
WORKERS, PATIENCE, IDLE_SECONDS = 2, 30, 20
CLIENTS, PAUSE = 3, 0.005   # so many ask at once, each so long after its last answer
APP = """
const app = require('express')();
app.get('/', (request, response) => response.json({ pid: process.pid }));
app.listen(process.env.PORT || 3000);
"""


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def ask(port):
    """The process that answers, on a connection of its own; None when nobody does."""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=2)
    try:
        connection.request('GET', '/', headers={'Connection': 'close'})
        return json.load(connection.getresponse())['pid']
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def wait_for(port, wanted):
    """Asks until `wanted` says yes to a process; when that was, and how many requests failed until then.

    Several ask at once: one that waits for a dead worker must not hold up the others."""
    found, lock, failed, end = [], threading.Lock(), [0], time.monotonic() + PATIENCE

    def work():
        while not found and time.monotonic() < end:
            pid = ask(port)
            with lock:
                if pid is None:
                    failed[0] += 1
                elif not found and wanted(pid):
                    found.append(time.monotonic())
            time.sleep(PAUSE)

    clients = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if not found:
        raise SystemExit(f'nobody who was waited for answered on port {port} for {PATIENCE} s')
    return found[0], failed[0]


def everybody(port):
    """The processes of all workers, once all of them answer."""
    seen = set()
    wait_for(port, lambda pid: seen.add(pid) or len(seen) == WORKERS)
    return seen


def memory(pid):
    """KiB that a process has for itself, shared pages counted by their share; its resident size where that is not told."""
    for name, pattern in (('smaps_rollup', r'^Pss:\s+(\d+)'), ('status', r'^VmRSS:\s+(\d+)')):
        try:
            found = re.search(pattern, open(f'/proc/{pid}/{name}').read(), re.M)
        except OSError:
            continue
        if found:
            return int(found.group(1))
    return 0


class Mainstay:
    """`mainstay run`: its workers' supervisor is the control plane; gateway and guard are counted with it."""
    name = 'mainstay'

    def __init__(self, folder):
        self.port = free_port()
        environment = dict(os.environ, MAINSTAY_RUNTIME_DIR=f'{folder}/run')
        environment.pop('PORT', None)
        words = [MAINSTAY, 'run', '-n', str(WORKERS), '--listen', f'127.0.0.1:{self.port}', f'{folder}/server.js']
        self.process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def version(self):
        return subprocess.run([MAINSTAY, '--version'], capture_output=True, text=True, check=True).stdout.split()[-1]

    def memory(self, workers):
        pids = [self.process.pid]
        for task in os.listdir(f'/proc/{self.process.pid}/task'):
            pids += map(int, open(f'/proc/{self.process.pid}/task/{task}/children').read().split())
        return sum(memory(pid) for pid in pids if pid not in workers)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Pm2:
    """PM2 in cluster mode, with a home of its own."""
    name = 'pm2'

    def __init__(self, folder):
        self.port = free_port()
        self.home = f'{folder}/pm2'
        self.environment = dict(os.environ, PM2_HOME=self.home, PM2_DISCRETE_MODE='true', PORT=str(self.port))
        self.say('start', f'{folder}/server.js', '-i', str(WORKERS), '--no-vizion', '--name', 'bench')

    def say(self, *words):
        subprocess.run(['node', f'{PACKAGES}/pm2/bin/pm2', *words], env=self.environment, check=True, capture_output=True)

    def version(self):
        return json.load(open(f'{PACKAGES}/pm2/package.json'))['version']

    def memory(self, workers):
        return memory(int(open(f'{self.home}/pm2.pid').read()))

    def stop(self):
        self.say('kill')


def own_start(folder):
    """The app's own start, in seconds."""
    port = free_port()
    begun = time.monotonic()
    process = subprocess.Popen(['node', f'{folder}/server.js'], env=dict(os.environ, PORT=str(port)))
    try:
        return wait_for(port, lambda pid: pid == process.pid)[0] - begun
    finally:
        process.kill()
        process.wait()


def kill_one(runner):
    """From a worker's death to the first answer of its successor, in seconds; requests that failed meanwhile."""
    known = everybody(runner.port)
    victim = sorted(known)[0]
    begun = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    answered, failed = wait_for(runner.port, lambda pid: pid not in known)
    return answered - begun, failed


def start(kind, folder):
    """From the start of one of them, with nobody there yet, to the first answer of the app, in seconds."""
    begun = time.monotonic()
    runner = kind(folder)
    try:
        return wait_for(runner.port, lambda pid: True)[0] - begun
    finally:
        runner.stop()


def ticks(pids):
    """CPU time of processes, in ticks."""
    total = 0
    for pid in pids:
        fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total


def idle(folder, count):
    """What apps that only sleep cost whoever supervises them: for each of both memory in MiB and CPU in percent."""
    with open(f'{folder}/idle.config.js', 'w') as file:
        apps = [{'name': f'idle{n}', 'script': shutil.which('sleep'), 'args': '1000000', 'interpreter': 'none'} for n in range(count)]
        file.write('module.exports = ' + json.dumps({'apps': apps}))
    costs = {}
    for name in ('mainstay', 'pm2'):
        if name == 'mainstay':
            environment = dict(os.environ, MAINSTAY_RUNTIME_DIR=f'{folder}/idle-run')
            process = subprocess.Popen([MAINSTAY, 'run', f'{folder}/idle.config.js'], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stop = lambda: (process.terminate(), process.wait(30))
            root = process.pid
        else:
            environment = dict(os.environ, PM2_HOME=f'{folder}/idle-pm2', PM2_DISCRETE_MODE='true')
            pm2 = lambda *words: subprocess.run(['node', f'{PACKAGES}/pm2/bin/pm2', *words], env=environment, check=True, capture_output=True)
            pm2('start', f'{folder}/idle.config.js')
            stop = lambda: pm2('kill')
            root = int(open(f'{folder}/idle-pm2/pm2.pid').read())
        try:
            end = time.monotonic() + 60
            while len(family(root, 'sleep')) < count and time.monotonic() < end:
                time.sleep(0.2)
            found = len(family(root, 'sleep'))
            if found < count:
                raise SystemExit(f'{name} runs {found} of {count} apps')
            time.sleep(90)   # what the start cost is over, and nobody looks for ports any more
            own = [pid for pid in family(root) if pid not in family(root, 'sleep')]
            before = ticks(own)
            time.sleep(IDLE_SECONDS)
            used = (ticks(own) - before) / os.sysconf('SC_CLK_TCK')
            costs[name] = (sum(memory(pid) for pid in own) / 1024, 100 * used / IDLE_SECONDS)
        finally:
            stop()
    return costs


def family(root, command=None):
    """A process and all below it; only those that run this command."""
    found, new = [], [root]
    while new:
        pid = new.pop()
        found.append(pid)
        try:
            for task in os.listdir(f'/proc/{pid}/task'):
                new += map(int, open(f'/proc/{pid}/task/{task}/children').read().split())
        except OSError:
            pass
    if command is None:
        return found
    def runs(pid):
        try:
            return open(f'/proc/{pid}/comm').read().strip() == command
        except OSError:
            return False
    return [pid for pid in found if runs(pid)]


def line(name, values, own):
    ms = [value * 1000 for value in values]
    more = statistics.median(value - base * 1000 for value, base in zip(ms, own))
    print(f'  {name:24s} {statistics.median(ms):8.1f} {min(ms):8.1f} {max(ms):8.1f} {more:+8.1f}')
    return statistics.median(ms)


def main():
    global WORKERS
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--rounds', type=int, default=10)
    a.add_argument('--workers', type=int, default=WORKERS)
    a.add_argument('--starts', type=int, default=5)
    a.add_argument('--idle', type=int, default=100)
    a = a.parse_args()
    WORKERS = a.workers
    for path, cure in ((MAINSTAY, 'build it: cargo build --release -p mainstay-cli'), (PACKAGES, 'install it: cargo xtask bench lives')):
        if not os.path.exists(path):
            raise SystemExit(f'`{path}` is not there\n  {cure}')
    folder = tempfile.mkdtemp(prefix='lives-')
    runners = []
    try:
        os.symlink(PACKAGES, f'{folder}/node_modules')
        with open(f'{folder}/server.js', 'w') as file:
            file.write(APP)
        begun = {kind.name: [] for kind in (Mainstay, Pm2)}
        for number in range(a.starts):
            for kind in (Mainstay, Pm2)[:: 1 if number % 2 == 0 else -1]:
                begun[kind.name].append(start(kind, folder))
        if a.starts:
            print(f'milliseconds from the start to the first answer, {a.starts} rounds')
            for name, values in begun.items():
                print(f'  {name:24s} {statistics.median(values) * 1000:8.1f}')
        for kind in (Mainstay, Pm2):
            runners.append(kind(folder))
        for runner in runners:
            everybody(runner.port)
        own, took, failed = [], {r.name: [] for r in runners}, {r.name: 0 for r in runners}
        for number in range(a.rounds):
            own.append(own_start(folder))
            for runner in runners if number % 2 == 0 else runners[::-1]:   # a fixed order fakes gains
                # PM2 counts a worker that lived for less than a second as unstable, and gives up on some of those
                time.sleep(2)
                seconds, lost = kill_one(runner)
                took[runner.name].append(seconds)
                failed[runner.name] += lost
        print(f'{f"milliseconds, {a.rounds} rounds":26s} {"median":>8s} {"least":>8s} {"most":>8s} {"- own":>8s}')
        line("the app's own start", own, own)
        medians = {r.name: line(f'{r.name} {r.version()}', took[r.name], own) for r in runners}
        print(f'  pm2 / mainstay: x{medians["pm2"] / medians["mainstay"]:.2f}')
        print('beside the workers')
        for runner in runners:
            print(f'  {runner.name:24s} {runner.memory(everybody(runner.port)) / 1024:8.1f} MiB   {failed[runner.name]} of our requests failed while a worker was replaced')
        for runner in runners:
            runner.stop()
        runners = []
        if a.idle:
            print(f'{a.idle} apps that sleep, for {IDLE_SECONDS} s')
            for name, (mib, percent) in idle(folder, a.idle).items():
                print(f'  {name:24s} {mib:8.1f} MiB {percent:8.2f}% of a CPU')
    finally:
        for runner in runners:
            runner.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()
