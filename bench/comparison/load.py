"""The common parts of all loads: their shape, what the client saw, and a client that pipelines."""

import contextlib
import dataclasses
import socket
import struct
import subprocess

from . import processes

PATHS = [f"/path/of/20/bytes/{i:02}" for i in range(100)]  # as in request.lua


@dataclasses.dataclass
class Shape:
    """What is sent."""

    kind: str = "hot"  # hot: one token and path; spread: any token and path; mint: GET /auth
    connections: int = 64
    pipeline: int = 1  # requests in one write
    filled: bool = False  # every counter of the spread exists before
    idle: int = 0  # connections that do nothing meanwhile


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
    """A load gave no figures. Says why."""


def together(loads):
    """The sum of loads that ran at the same time. Its latencies are the worst that any client saw."""
    return Load(
        sum(load.requests for load in loads),
        max(load.seconds for load in loads),
        max(load.p50_us for load in loads),
        max(load.p99_us for load in loads),
        max(load.max_us for load in loads),
        [error for load in loads for error in load.errors],
    )


def run_tools(commands, limit_s):
    """Runs load generators side by side. Returns what each printed."""
    try:
        return processes.run_clients(commands, limit_s)
    except subprocess.CalledProcessError as error:
        raise LoadError(f"{error.cmd[0]} failed: {' '.join(error.output.split())[:200]}") from error
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"{error.cmd[0]} did not end") from error
    except OSError as error:
        raise LoadError(str(error)) from error


def connect(port):
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    except OSError as error:
        raise LoadError(f"could not connect: {error}") from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Closing resets: thousands of connections would otherwise linger in TIME_WAIT.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return connection


def pipelined(port, requests, protocol, lanes=8, in_flight=100):
    """Sends each request once, over several connections. Yields the bytes of the answers, of in_flight requests at a
    time. Raises LoadError if a request is refused."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(port)) for _ in range(lanes)]
        chunks = [requests[start : start + in_flight] for start in range(0, len(requests), in_flight)]
        for turn in range(0, len(chunks), lanes):
            sent = list(zip(connections, chunks[turn : turn + lanes]))
            try:
                for connection, chunk in sent:
                    connection.sendall(b"".join(chunk))
                for connection, chunk in sent:
                    yield _receive(connection, len(chunk), protocol)
            except OSError as error:
                raise LoadError(f"pipelined requests: {error}") from error


def _receive(connection, count, protocol):
    answers = bytearray()
    while not protocol.complete(answers, count):
        received = connection.recv(1 << 16)
        if not received:
            raise LoadError(f"a connection was closed after {bytes(answers[-200:])!r}")
        answers += received
        if protocol.refused(answers):
            raise LoadError(f"a request was refused: {bytes(answers[-300:])!r}")
    return bytes(answers)


class IdleConnections:
    """Open connections, each of which got one answer."""

    def __init__(self, port, count, request, protocol):
        self._request = request
        self._protocol = protocol
        self._open = []
        for _ in range(count):
            self._open.append(connect(port))
            self._ask(self._open[-1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self._open:
            connection.close()

    def ask_again(self):
        """Raises LoadError if one of them was closed meanwhile."""
        for connection in self._open:
            self._ask(connection)

    def _ask(self, connection):
        try:
            connection.sendall(self._request)
            _receive(connection, 1, self._protocol)
        except OSError as error:
            raise LoadError(f"an idle connection: {error}") from error
