"""Stands between the client and the counter, and looks at the frames of HTTP/2 that pass."""

import socket
import threading

preface_bytes = 24
ping, goaway, ack = 6, 7, 1


class Relay:
    def __init__(self, address):
        self.address = address
        self.connections = 0
        self.sent_bytes = 0  # by the client
        self.pings = 0  # by the client
        self.pings_answered = 0
        self.goaways = 0  # by the counter
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(self.address)
            self.connections += 1
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for what in ((client, server, preface_bytes, self._sent), (server, client, 0, self._answered)):
                threading.Thread(target=self._pass_on, args=what, daemon=True).start()

    def _pass_on(self, source, target, skip, look):
        """Ends both when either ends. `skip`: bytes until the next frame begins."""
        head = b""
        try:
            while chunk := source.recv(256 * 1024):
                if look == self._sent:
                    self.sent_bytes += len(chunk)
                target.sendall(chunk)
                at = 0
                while at < len(chunk):
                    if skip:
                        passed = min(skip, len(chunk) - at)
                        skip -= passed
                    else:
                        passed = min(9 - len(head), len(chunk) - at)
                        head += chunk[at : at + passed]
                        if len(head) == 9:
                            skip = int.from_bytes(head[:3], "big")
                            look(head[3], head[4])
                            head = b""
                    at += passed
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _sent(self, kind, flags):
        self.pings += kind == ping and not flags & ack

    def _answered(self, kind, flags):
        self.pings_answered += kind == ping and flags & ack
        self.goaways += kind == goaway
