"""Measures what moving or reading tokens costs the requests of a service meanwhile. bench/moves runs it."""

import contextlib
import http.client
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

from moves import Redis, free_port, write_file

SECONDS = 5


class Load:
    """Requests over 64 connections for one token, by wrk."""

    def __init__(self, port, token):
        self.process = subprocess.Popen(
            ["wrk", "-t1", "-c64", f"-d{SECONDS}s", "--latency", "-H", f"Authorization: Bearer {token}",
             f"http://127.0.0.1:{port}/hot"], stdout=subprocess.PIPE, text=True)

    def p99_ms(self):
        text, _ = self.process.communicate()
        value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
        if "Non-2xx" in text:
            sys.exit(f"requests were refused:\n{text}")
        return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


class AdminDoor(http.client.HTTPConnection):
    """The admin door behind a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def get(self, target):
        self.request("GET", target)
        answer = self.getresponse()
        body = answer.read()
        if answer.status != 200:
            sys.exit(f"{target}: {answer.status} {body}")
        return json.loads(body)


class Reader(multiprocessing.Process):
    """Goes through all tokens again and again, until it is terminated. It gives way to others, as `tracker tokens` does."""

    def __init__(self, admin):
        super().__init__()
        self.admin = admin
        self.tokens = multiprocessing.Value("i", 0)

    def run(self):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        door = AdminDoor(self.admin)
        first = target = "/v1/tokens?limit=1000"
        while True:
            page = door.get(target)
            target = f"{first}&cursor={page['next']}" if "next" in page else first
            self.tokens.value += len(page["tokens"])


def main():
    tracker, tokens, paths, what, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], 9
    for store in ("memory", "rocksdb", "redis") if what == "reading" else ("memory", "rocksdb"):
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            settings = ["--store", store if store != "rocksdb" else f"rocksdb:{directory}/data"]
            if store == "redis":
                settings += ["--redis-addr", f"127.0.0.1:{stack.enter_context(Redis(directory)).port}"]
            port = free_port()
            admin = os.path.join(directory, "admin")
            served = subprocess.Popen(
                [tracker, "serve", "--envoy-addr", f"127.0.0.1:{port}", "--health-addr", f"127.0.0.1:{free_port()}",
                 "--admin-socket", admin, *settings], stderr=subprocess.DEVNULL)
            try:
                measure(tracker, store, settings, port, admin, directory, tokens, paths, what, rounds)
            finally:
                served.terminate()
                served.wait()


def measure(tracker, store, settings, port, admin, directory, tokens, paths, what, rounds):
    def mint():
        done = subprocess.run(["curl", "-sf", f"http://127.0.0.1:{port}/auth"], capture_output=True, text=True)
        return json.loads(done.stdout)["token"] if done.returncode == 0 else None

    deadline = time.monotonic() + 10
    while not (token := mint()):
        if time.monotonic() > deadline:
            sys.exit("tracker does not answer")
        time.sleep(0.05)

    def run(*arguments):
        where = settings if store == "redis" else ["--admin-socket", admin]
        done = subprocess.run([tracker, *arguments, *where], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)

    made = os.path.join(directory, "made")

    def export_once():
        run("export", made)
        os.remove(made)

    def import_once():
        run("import", made, "--copy")

    done = {}  # moves, or tokens read, in all rounds

    def beside(kind, move=None):
        load = Load(port, token)
        while load.process.poll() is None:
            if move is None:
                time.sleep(0.1)
            else:
                move()
                done[kind] = done.get(kind, 0) + 1
                if move is import_once:
                    break
        return load.p99_ms()

    write_file(made, tokens, paths)
    import_once()
    os.remove(made)
    figures = {"nothing": [], "export": [], "import": []} if what == "moves" else {"nothing": [], "reading": []}
    for _ in range(rounds):
        figures["nothing"].append(beside("nothing"))
        if what == "reading":
            reader = Reader(admin)
            reader.start()
            figures["reading"].append(beside("reading"))
            reader.terminate()
            reader.join()
            done["reading"] = done.get("reading", 0) + reader.tokens.value
            continue
        figures["export"].append(beside("export", export_once))
        write_file(made, tokens, paths)
        figures["import"].append(beside("import", import_once))
        os.remove(made)
    for kind, values in figures.items():
        middle = sorted(values)[len(values) // 2]
        print(f"{store:8} beside {kind:8} p99 {middle:7.2f} ms   of {' '.join(f'{value:.2f}' for value in values)}"
              + (f"   {done[kind]} {'tokens read' if what == 'reading' else 'times'}" if kind in done else ""), flush=True)


main()
