"""The load on an HTTP contestant: wrk for the figures, and our own requests where results must be exact."""

import http.client
import json
import os
import re
import uuid

from . import load

_request_lua = os.path.join(os.path.dirname(__file__), "request.lua")
_timeout_s = 2  # a run fails if an answer takes longer
_single_timeout_s = 10


class Http:
    """What requests look like, and how to tell answers apart in a stream of them."""

    first_count = b'{"count":1}'

    @staticmethod
    def request(path, token=None):
        authorization = f"Authorization: {token}\r\n" if token else ""
        return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{authorization}\r\n".encode()

    @staticmethod
    def complete(answers, count):
        """Returns whether there are `count` answers. Their bodies are JSON objects."""
        return answers.endswith(b"}") and answers.count(b"HTTP/1.1 200") == count

    @staticmethod
    def refused(answers):
        return re.search(rb"HTTP/1\.1 [^2]", answers) is not None


class HttpLoad:
    """The load on one contestant that has just been started."""

    protocol = Http

    def __init__(self, running, ground, tokens=10_000):
        self._running = running
        self.tokens = (
            mint(running.port, tokens) if running.mints else [str(uuid.uuid4()) for _ in range(tokens)]
        )
        self._tokens_path = ground.write("tokens", "\n".join(self.tokens) + "\n")

    def move_to(self, running):
        """Continues with the same tokens on a restarted server."""
        self._running = running

    def prepare(self, shape, seconds):
        """Prepares a run: nothing to do."""

    def drive(self, shape, seconds, seed):
        outputs = load.run_tools(
            [
                [
                    "wrk",
                    "--threads",
                    "1",
                    "--connections",
                    str(shape.connections),
                    "--duration",
                    f"{seconds}s",
                    "--timeout",
                    f"{_timeout_s}s",
                    "--script",
                    _request_lua,
                    f"http://127.0.0.1:{port}",
                    "--",
                    shape.kind,
                    str(shape.pipeline),
                    str(seed + number),
                    self._tokens_path,
                ]
                for number, port in enumerate(self._running.ports)
            ],
            seconds + 30,
        )
        seen = load.together([wrk_figures(output) for output in outputs])
        if shape.pipeline > 1:  # wrk then corrects its latencies by a wrong interval
            seen.p50_us = seen.p99_us = None
        return seen

    def count(self):
        """The count of the hot counter, which this raises by one. None if the contestant counts nothing."""
        return ask_count(self._running.port, load.PATHS[0], self.tokens[0]) if self._running.counts else None

    def beyond(self, shape):
        """How many requests may be counted although wrk saw no answer: those in flight at its end, and our count()."""
        return shape.connections * shape.pipeline * len(self._running.ports) + 1


def wrk_figures(output):
    """The Load that request.lua printed."""
    match = re.search(r"^figures (.*)$", output, re.MULTILINE)
    if not match:
        raise load.LoadError(f"wrk printed no figures: {output.strip()[-200:]}")
    figures = {name: int(value) for name, value in (pair.split("=") for pair in match[1].split())}
    names = {
        "connect": "connects failed",
        "read": "reads failed",
        "write": "writes failed",
        "status": "answers were errors",
        "timeout": "answers timed out",
    }
    errors = [f"{figures[name]} {text}" for name, text in names.items() if figures[name]]
    if not figures["requests"]:
        errors.append("nothing was answered")
    return load.Load(
        figures["requests"],
        figures["duration_us"] / 1e6,
        figures["p50_us"],
        figures["p99_us"],
        figures["max_us"],
        errors,
    )


def ask(port, path, token=None):
    """Sends one request over a new connection. Returns status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_single_timeout_s)
    try:
        connection.request("GET", path, headers={"Authorization": token} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def ask_count(port, path, token):
    """The count in the answer. Raises LoadError if there is none."""
    try:
        status, body = ask(port, path, token)
        if status == 200:
            return json.loads(body)["count"]
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        raise load.LoadError(f"a single request failed: {error!r}") from error
    raise load.LoadError(f"a single request was answered {status}: {body[:200]}")


def mint(port, count):
    """Mints tokens of a tracker."""
    tokens = []
    for answers in load.pipelined(port, [Http.request("/auth")] * count, Http):
        tokens += re.findall(r'{"token":"([0-9a-f-]{36})"}', answers.decode())
    if len(set(tokens)) != count:
        raise load.LoadError(f"asked for {count} tokens, got {len(set(tokens))}")
    return tokens
