"""Times tracker export and import between kinds of stores. bench/moves runs it."""

import contextlib
import hashlib
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time


def free_port():
    """A port whose cluster bus port (10,000 above) exists, too."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port < 55_000:
            return port


class Redis:
    """A Redis that keeps everything, until the end of the block."""

    def __init__(self, directory, *more):
        self.port = free_port()
        path = os.path.join(directory, f"redis-{self.port}")
        os.mkdir(path)
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", path, "--appendonly", "yes",
             "--appendfsync", "always", "--save", "", *more], stdout=subprocess.DEVNULL)
        self.wait(lambda: "PONG" in self.ask("PING"))

    def ask(self, *command):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *command], capture_output=True, text=True)
        return done.stdout

    @staticmethod
    def wait(is_so):
        deadline = time.monotonic() + 30
        while not is_so():
            if time.monotonic() > deadline:
                sys.exit("a Redis does not become ready")
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def start_cluster(directory, stack):
    nodes = [stack.enter_context(Redis(directory, "--cluster-enabled", "yes")) for _ in range(3)]
    share = 16384 // 3 + 1
    for i, node in enumerate(nodes):
        node.ask("CLUSTER", "ADDSLOTSRANGE", str(i * share), str(min(16383, (i + 1) * share - 1)))
        nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", str(node.port))
    for node in nodes:
        Redis.wait(lambda node=node: "cluster_state:ok" in node.ask("CLUSTER", "INFO")
                   and "cluster_known_nodes:3" in node.ask("CLUSTER", "INFO"))
    return nodes[0]


def write_file(path, tokens, paths):
    """An export of tokens that never were."""
    header = {"void": False, "format": "tracker export 1", "kind": "copy", "export": os.urandom(16).hex(),
              "store": os.urandom(16).hex(), "slots": "0-16383", "time": "2026-01-01T00:00:00Z"}
    ids = sorted(os.urandom(16).hex() for _ in range(tokens))
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        def put(value):
            line = (json.dumps(value, separators=(",", ":")) + "\n").encode()
            digest.update(line)
            file.write(line)
        put(header)
        for its in ids:
            put({"token": its, "minted": 1_700_000_000,
                 "counts": {f"/v1/customers/{its[:6]}/orders/{i}": i + 1 for i in range(paths)}})
        totals = {"tokens": tokens, "counters": tokens * paths, "sha256": digest.hexdigest()}
        file.write((json.dumps(totals, separators=(",", ":")) + "\n").encode())


def main():
    tracker, tokens, paths = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    counters = tokens * paths

    def run(name, *arguments):
        begin = time.monotonic()
        done = subprocess.run([tracker, *arguments], capture_output=True, text=True)
        took = time.monotonic() - begin
        if done.returncode != 0:
            sys.exit(f"{name}: {done.stderr}")
        print(f"{name:34} {took:7.1f} s {counters / took:12,.0f} counters/s", flush=True)

    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        path = lambda name: os.path.join(directory, name)
        print(f"{tokens:,} tokens, {counters:,} counters")
        write_file(path("made"), tokens, paths)
        redis = stack.enter_context(Redis(directory))
        node = start_cluster(directory, stack)
        disk = ["--store", "rocksdb:" + path("disk")]
        one = ["--store", "redis", "--redis-addr", f"127.0.0.1:{redis.port}"]
        cluster = ["--store", "redis-cluster", "--redis-addr", f"127.0.0.1:{node.port}"]
        run("import into a store on disk", "import", path("made"), "--copy", *disk)
        run("export from it, held", "export", path("from-disk"), "--hold", *disk)
        run("import into a Redis", "import", path("from-disk"), *one)
        run("export from it, held", "export", path("from-redis"), "--hold", *one)
        run("import into a cluster of 3", "import", path("from-redis"), *cluster)
        run("export from it, held", "export", path("from-cluster"), "--hold", *cluster)
        last = ["--store", "rocksdb:" + path("last")]
        run("import into a store on disk", "import", path("from-cluster"), *last)
        run("export from it", "export", path("from-last"), *last)

        def tokens_of(name):
            with open(path(name), "rb") as file:
                for value in map(json.loads, file):
                    if "token" in value:
                        yield value["token"], value["minted"], sorted(value["counts"].items())

        same = all(one == other for one, other in itertools.zip_longest(tokens_of("made"), tokens_of("from-last")))
        print("every token and count is as it was at the beginning" if same else "TOKENS OR COUNTS DIFFER")
        sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
