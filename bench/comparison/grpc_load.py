"""Drives a counter's gRPC port: UpdateCounter by h2load. h2load does not see grpc-status, so the count shows
afterwards whether everything was counted."""

import re
import struct

from . import load

_service = "/manager_rpc.CounterService/"


class GrpcLoad:
    """The load on one counter that has just been started."""

    def __init__(self, running, ground, tokens=1):
        self._port = running.port
        self.tokens = [mint(running.port) for _ in range(min(tokens, 2))]
        self._request_path = ground.write("request", _update(self.tokens[0], load.PATHS[0]).decode("ascii"))

    def prepare(self, shape, seconds):
        """Prepares a run: nothing to do."""

    def drive(self, shape, seconds, _seed):
        command = [
            "h2load",
            "--threads=1",
            f"--clients={shape.connections}",
            f"--max-concurrent-streams={shape.pipeline}",
            f"--duration={seconds}",
            "--header=content-type: application/grpc",
            "--header=te: trailers",
            f"--data={self._request_path}",
            f"http://127.0.0.1:{self._port}{_service}UpdateCounter",
        ]
        return h2load_figures(load.run_tools([command], seconds + 30)[0])

    def count(self):
        """The count of the hot counter, which this raises by one."""
        return _counter_in(call(self._port, "UpdateCounter", _update(self.tokens[0], load.PATHS[0])))

    def beyond(self, shape):
        """How many requests may be counted without an answer seen by h2load: those in flight at its end, and our count()."""
        return shape.connections * shape.pipeline + 1


def h2load_figures(output):
    """The Load that h2load printed. h2load prints no percentiles."""
    finished = re.search(r"finished in ([\d.]+)(s|ms), ([\d.]+) req/s", output)
    requests = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
    longest = re.search(r"time for request: +\S+ +([\d.]+)(us|ms|s)", output)
    if not (finished and requests and longest):
        raise load.LoadError(f"h2load printed no figures: {output.strip()[-200:]}")
    succeeded, *wrong = (int(number) for number in requests.groups())
    names = ("failed", "errored", "timed out")
    errors = [f"{number} calls {name}" for name, number in zip(names, wrong) if number]
    max_us = float(longest[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[longest[2]]
    return load.Load(succeeded, succeeded / float(finished[3]), None, None, max_us, errors)


def mint(port):
    """A fresh token: the first field of NewTokenResponse."""
    response = call(port, "NewToken", _message(b""))
    return response[2:].decode()


def call(port, method, message):
    """Makes a call over a new connection and returns the answer. Knows only as much HTTP/2 as this needs."""
    with load.connect(port) as connection:
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": _service + method,
            ":authority": "bench",
            "content-type": "application/grpc",
            "te": "trailers",
        }
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0) + _frame(1, 4, 1, block) + _frame(0, 1, 1, message)
        )
        body, ended, received = b"", False, b""
        while not ended:
            part = connection.recv(1 << 16)
            if not part:
                raise load.LoadError(f"{method}: the connection was closed")
            received += part
            while len(received) >= 9 and len(received) >= (size := 9 + int.from_bytes(received[:3], "big")):
                if received[3] == 0:
                    body += received[9:size]
                ended = ended or (received[3] in (0, 1) and received[4] & 1 == 1)
                received = received[size:]
    if len(body) < 5:
        raise load.LoadError(f"{method} was refused")
    return body[5:]


def _frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _text(text):
    """A string of HPACK, of up to 126 bytes."""
    return bytes([len(text)]) + text.encode()


def _message(content):
    return b"\0" + struct.pack(">I", len(content)) + content


def _update(token, path):
    """An UpdateCounterRequest."""
    return _message(b"".join(bytes([tag, len(text)]) + text.encode() for tag, text in ((0x0A, token), (0x12, path))))


def _counter_in(response):
    """The second field of an UpdateCounterResponse. Its first field must say success."""
    if response[:2] != b"\x08\x01":
        raise load.LoadError(f"UpdateCounter answered {response!r}")
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(response[3:]))
