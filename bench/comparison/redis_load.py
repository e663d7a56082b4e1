"""The load on a Redis: INCR by redis-benchmark, with keys as long as a token and a path."""

import csv
import uuid

from . import load


class Resp:
    """What requests look like, and how to tell answers apart in a stream of them."""

    first_count = b":1\r\n"

    @staticmethod
    def request(path, token):
        key = (token + path).encode()
        return b"*2\r\n$4\r\nINCR\r\n$%d\r\n%s\r\n" % (len(key), key)

    @staticmethod
    def complete(answers, count):
        """Returns whether there are `count` answers. Each is a line with a number."""
        return answers.count(b"\r\n") == count

    @staticmethod
    def refused(answers):
        return b"-" in answers


class RedisLoad:
    """The load on a Redis that has just been started."""

    protocol = Resp
    _token = "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd"
    _hot = "/path/of/00000000000"

    def __init__(self, running, _ground, tokens=10_000):
        self._port = running.port
        self.tokens = [str(uuid.uuid4()) for _ in range(tokens)]

    def prepare(self, shape, seconds):
        """redis-benchmark takes a number of requests, not a time. A short run shows how many to ask for."""
        trial = self._run(shape, shape.connections * shape.pipeline * 50, seconds)
        trial = self._run(shape, int(trial.requests / trial.seconds * min(1, seconds / 4)) + 1, seconds)
        self._requests = int(trial.requests / trial.seconds * seconds) + 1

    def drive(self, shape, seconds, _seed):
        return self._run(shape, self._requests, seconds)

    def count(self):
        """The count of the hot counter, which this raises by one."""
        with load.connect(self._port) as connection:
            connection.sendall(Resp.request(self._hot, self._token))
            return int(connection.recv(100)[1:])

    def beyond(self, shape):
        """How many more requests than asked for a run may count: whole pipelines, and our own count()."""
        return shape.connections * shape.pipeline + 1

    def _run(self, shape, requests, seconds):
        spread = shape.kind == "spread"
        key = self._token + ("/path/__rand_int__" if spread else self._hot)
        command = [
            "redis-benchmark",
            "-p",
            str(self._port),
            "-c",
            str(shape.connections),
            "-P",
            str(shape.pipeline),
            "-n",
            str(requests),
            *(["-r", "1000000"] if spread else []),
            "--csv",
            "INCR",
            key,
        ]
        return benchmark_figures(load.run_tools([command], 4 * seconds + 30)[0], requests)


def benchmark_figures(output, requests):
    """The Load that redis-benchmark printed."""
    rows = list(csv.reader(line for line in output.splitlines() if line.startswith('"')))
    if len(rows) != 2:
        raise load.LoadError(f"redis-benchmark printed no figures: {output.strip()[-200:]}")
    row = dict(zip(*rows))
    latencies = [float(row[f"{name}_latency_ms"]) * 1000 for name in ("p50", "p99", "max")]
    return load.Load(requests, requests / float(row["rps"]), *latencies, [])


def used_memory(port):
    """The memory that Redis reports for its data, in bytes."""
    with load.connect(port) as connection:
        connection.sendall(b"INFO memory\r\n")
        answer = connection.recv(1 << 16).decode()
    for line in answer.splitlines():
        if line.startswith("used_memory:"):
            return int(line.partition(":")[2])
    raise load.LoadError(f"no used_memory in {answer[:200]!r}")
