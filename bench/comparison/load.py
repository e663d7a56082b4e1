"""Drives a server: wrk for HTTP, redis-benchmark for Redis, and a pipelining client for what must be exact."""

import csv
import dataclasses
import http.client
import json
import os
import re
import socket
import subprocess
import uuid

from . import processes

PATHS = [f"/path/of/20/bytes/{i:02}" for i in range(100)]  # as in request.lua
_request_lua = os.path.join(os.path.dirname(__file__), "request.lua")
_timeout_s = 2


@dataclasses.dataclass
class Load:
    """What a client saw in one run."""
    requests: int
    seconds: float
    p50_us: float
    p99_us: float
    max_us: float
    errors: list  # in words; empty if there were none


class LoadError(Exception):
    """No figures came of it; says why."""


@dataclasses.dataclass
class Shape:
    """What is sent: hot, spread or mint; on how many connections; how many requests in one write."""
    kind: str
    connections: int = 64
    pipeline: int = 1


def wrk_command(port, shape, seconds, tokens_path, seed):
    return ["wrk", "--threads", "1", "--connections", str(shape.connections), "--duration", f"{seconds}s",
            "--timeout", f"{_timeout_s}s", "--script", _request_lua, f"http://127.0.0.1:{port}", "--",
            shape.kind, str(shape.pipeline), str(seed), tokens_path]


def drive_http(port, shape, seconds, tokens_path, seed):
    return wrk_figures(run(wrk_command(port, shape, seconds, tokens_path, seed), seconds))


def run(command, seconds):
    try:
        return processes.run_client(command, seconds + 30)
    except subprocess.CalledProcessError as error:
        raise LoadError(f"{command[0]} failed: {error.output.strip()[-200:]}") from error
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"{command[0]} did not end") from error


def wrk_figures(output):
    match = re.search(r"^figures (.*)$", output, re.MULTILINE)
    if not match:
        raise LoadError(f"wrk printed no figures: {output.strip()[-200:]}")
    figures = {name: int(value) for name, value in (pair.split("=") for pair in match[1].split())}
    names = {"connect": "connects failed", "read": "reads failed", "write": "writes failed",
             "status": "answers were errors", "timeout": "answers timed out"}
    errors = [f"{figures[name]} {text}" for name, text in names.items() if figures[name]]
    if not figures["requests"]:
        errors.append("nothing was answered")
    return Load(figures["requests"], figures["duration_us"] / 1e6, figures["p50_us"], figures["p99_us"],
                figures["max_us"], errors)


def drive_redis(port, shape, seconds):
    """INCR with keys as long as a token and a path. redis-benchmark takes a number of requests, not a time, so a
    short run first tells how many fit."""
    trial = _redis_benchmark(port, shape, shape.connections * shape.pipeline * 100, seconds)
    return _redis_benchmark(port, shape, int(trial.requests / trial.seconds * seconds) + 1, seconds)


def _redis_benchmark(port, shape, requests, seconds):
    prefix = "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd:/path/"
    key = prefix + ("__rand_int__" if shape.kind == "spread" else "000000000000")
    keys = ["-r", "1000000"] if shape.kind == "spread" else []
    output = run(["redis-benchmark", "-p", str(port), "-c", str(shape.connections), "-P", str(shape.pipeline),
                  "-n", str(requests), *keys, "--csv", "INCR", key], seconds * 10)
    rows = list(csv.reader(line for line in output.splitlines() if line.startswith('"')))
    if len(rows) != 2:
        raise LoadError(f"redis-benchmark printed no figures: {output.strip()[-200:]}")
    row = dict(zip(rows[0], rows[1]))
    per_second = float(row["rps"])
    latencies = [float(row[f"{name}_latency_ms"]) * 1000 for name in ("p50", "p99", "max")]
    return Load(requests, requests / per_second, *latencies, [])


def ask(port, path, token):
    """One request on a connection of its own: its status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_timeout_s)
    try:
        connection.request("GET", path, headers={"Authorization": token} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def ask_count(port, path, token):
    """The count of the answer; raises LoadError if it is none."""
    try:
        status, body = ask(port, path, token)
    except OSError as error:
        raise LoadError(f"a single request failed: {error}") from error
    if status != 200:
        raise LoadError(f"a single request was answered {status}: {body[:200]}")
    return json.loads(body)["count"]


def pipelined(port, requests, in_flight=100):
    """Sends each request on one connection; yields the answers' bytes as they come, a chunk at a time."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(requests), in_flight):
            chunk = requests[start:start + in_flight]
            connection.sendall(b"".join(chunk))
            answers = bytearray()
            while answers.count(b"HTTP/1.1 200") < len(chunk) or not answers.endswith(b"}"):
                received = connection.recv(1 << 16)
                if not received:
                    raise LoadError(f"pipelined requests: closed after {bytes(answers[-200:])!r}")
                answers += received
                if re.search(rb"HTTP/1\.1 [^2]", answers):
                    raise LoadError(f"pipelined requests: {bytes(answers[:200])!r}")
            yield bytes(answers)


def mint(port, count):
    """Fresh tokens of a tracker."""
    request = b"GET /auth HTTP/1.1\r\nHost: bench\r\n\r\n"
    tokens = []
    for answers in pipelined(port, [request] * count):
        tokens += re.findall(r'{"token":"([0-9a-f-]{36})"}', answers.decode())
    if len(set(tokens)) != count:
        raise LoadError(f"asked for {count} tokens, got {len(set(tokens))}")
    return tokens


def made_up_tokens(count):
    """Tokens for those who do not ask whether a token is known."""
    return [str(uuid.uuid4()) for _ in range(count)]
