"""A proxy that breaks connections when the answer is due: the request was counted, and its client gets nothing."""

import socket
import threading


class BreakingProxy:
    """Passes requests on to `target`. The first `answered` requests of each connection get their answers. The next one
    is passed on, too, and then the connection ends without a byte."""

    def __init__(self, target, answered):
        self._target = target
        self._answered = answered
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.create_connection(self._target) as tracker:
            for _ in range(self._answered):
                if not (request := read_request(client)):
                    return
                tracker.sendall(request)
                client.sendall(read_answer(tracker))
            if request := read_request(client):
                tracker.sendall(request)
                read_answer(tracker)


def read_request(connection):
    """The bytes of a request without a body, or nothing at the end of the connection."""
    return _read_head(connection)


def read_answer(connection):
    """The bytes of an answer with a Content-Length."""
    answer = _read_head(connection)
    head, body = answer.split(b"\r\n\r\n", 1)
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(length - len(body))
    return head + b"\r\n\r\n" + body


def _read_head(connection):
    read = b""
    while b"\r\n\r\n" not in read:
        more = connection.recv(65536)
        if not more:
            return b""
        read += more
    return read
