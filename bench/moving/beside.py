"""Measures what moving or reading tokens costs the requests of a service meanwhile. bench/moves runs it."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time

from moves import free_port, write_file

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


def main():
    tracker, tokens, paths, what, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], 5
    for store in ("memory", "rocksdb"):
        with tempfile.TemporaryDirectory() as directory:
            port = free_port()
            socket = os.path.join(directory, "admin")
            served = subprocess.Popen(
                [tracker, "serve", "--envoy-addr", f"127.0.0.1:{port}", "--health-addr", f"127.0.0.1:{free_port()}",
                 "--admin-socket", socket, "--store",
                 store if store == "memory" else f"rocksdb:{directory}/data"], stderr=subprocess.DEVNULL)
            try:
                measure(tracker, store, port, socket, directory, tokens, paths, what, rounds)
            finally:
                served.terminate()
                served.wait()


def measure(tracker, store, port, socket, directory, tokens, paths, what, rounds):
    def mint():
        done = subprocess.run(["curl", "-sf", f"http://127.0.0.1:{port}/auth"], capture_output=True, text=True)
        return json.loads(done.stdout)["token"] if done.returncode == 0 else None

    deadline = time.monotonic() + 10
    while not (token := mint()):
        if time.monotonic() > deadline:
            sys.exit("tracker does not answer")
        time.sleep(0.05)

    def run(*arguments):
        done = subprocess.run([tracker, *arguments, "--admin-socket", socket], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)

    made = os.path.join(directory, "made")

    def export_once():
        run("export", made)
        os.remove(made)

    def import_once():
        run("import", made, "--copy")

    def read_once():
        run("tokens")

    def beside(move):
        load = Load(port, token)
        while load.process.poll() is None:
            if move is None:
                time.sleep(0.1)
            else:
                move()
                if move is import_once:
                    break
        return load.p99_ms()

    write_file(made, tokens, paths)
    import_once()
    os.remove(made)
    figures = {"nothing": [], "export": [], "import": []} if what == "moves" else {"nothing": [], "reading": []}
    for _ in range(rounds):
        figures["nothing"].append(beside(None))
        if what == "reading":
            figures["reading"].append(beside(read_once))
            continue
        figures["export"].append(beside(export_once))
        write_file(made, tokens, paths)
        figures["import"].append(beside(import_once))
        os.remove(made)
    for kind, values in figures.items():
        middle = sorted(values)[len(values) // 2]
        print(f"{store:8} beside {kind:8} p99 {middle:7.2f} ms   of {' '.join(f'{value:.2f}' for value in values)}", flush=True)


main()
