"""Tries the screen of tracker top on a terminal: top_screen_test.py TRACKER"""

import fcntl
import http.client
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

PATIENCE_S = 60
RESTORED = "\x1b[?25h\x1b[?1049l"


def check(is_right, message):
    if not is_right:
        sys.exit(f"FAILED: {message}")


class Service:
    def __init__(self, tracker, socket):
        self.process = subprocess.Popen(
            [tracker, "serve", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store", "memory",
             "--admin-socket", socket], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r"listening envoy=127\.0\.0\.1:(\d+)", line)
            if found:
                break
        self.connection = http.client.HTTPConnection("127.0.0.1", int(found[1]))

    def get(self, path, token=None):
        self.connection.request("GET", path, headers={"Authorization": token} if token else {})
        return self.connection.getresponse().read().decode()

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


class Top:
    """tracker top on a terminal of its own."""

    def __init__(self, tracker, socket, lines, columns):
        self.master, slave = pty.openpty()
        self.resize(lines, columns)
        self.before = termios.tcgetattr(self.master)
        self.process = subprocess.Popen([tracker, "top", "--interval", "100ms", "--admin-socket", socket], stdin=slave, stdout=slave,
                                        stderr=subprocess.PIPE, text=True, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.shown = ""

    def resize(self, lines, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, key):
        os.write(self.master, key.encode())

    def picture(self):
        """The lines of the last complete picture."""
        pictures = self.shown.split("\x1b[H")
        return re.sub(r"\x1b\[[?0-9]*[A-Za-z]", "", pictures[-2]).split("\r\r\n") if len(pictures) > 2 else []

    def read(self):
        if select.select([self.master], [], [], 0.05)[0]:
            try:
                self.shown += os.read(self.master, 65536).decode(errors="replace")
            except OSError:  # it has ended
                pass

    def wait_for(self, what, is_there):
        deadline = time.monotonic() + PATIENCE_S
        while not is_there(self.picture()):
            check(time.monotonic() < deadline, f"{what} does not come: {self.picture()}")
            self.read()

    def expect_end(self, exit_code):
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            check(time.monotonic() < deadline, "it does not end")
            self.read()
        self.read()
        check(self.process.returncode == exit_code, f"it ended with {self.process.returncode}")
        check(self.shown.endswith(RESTORED), f"the terminal is left as {self.shown[-40:]!r}")
        check(termios.tcgetattr(self.master) == self.before, "the terminal has other settings than before")
        os.close(self.master)
        return self.process.stderr.read()


def main():
    tracker = sys.argv[1]
    with tempfile.TemporaryDirectory() as directory:
        socket = f"{directory}/socket"
        service = Service(tracker, socket)
        try:
            token = service.get("/auth").split('"')[3]
            for path in range(20):
                for _ in range(path + 1):
                    service.get(f"/p{path}/{'x' * 100}", token)

            top = Top(tracker, socket, 12, 60)
            top.wait_for("the busiest path", lambda lines: len(lines) == 12 and re.match(" +20 +20  /p19/x+$", lines[4]))
            check(all(len(line) <= 60 for line in top.picture()), "a line is too long")
            check("q ends" in top.picture()[-1], "the keys are not shown")
            top.press("t")
            top.wait_for("the token", lambda lines: len(lines) > 4 and re.search(" +210 +210  [0-9a-f]{32}$", lines[4]))
            top.press("p")
            top.resize(8, 30)
            top.wait_for("the smaller screen",
                         lambda lines: len(lines) == 8 and max(map(len, lines)) == 30 and "/" in lines[4])
            service.get("/new", token)
            top.resize(50, 80)
            top.wait_for("what was counted meanwhile", lambda lines: any(line.endswith("  /new") for line in lines))
            top.press("q")
            top.expect_end(0)

            top = Top(tracker, socket, 12, 60)
            top.wait_for("the screen", lambda lines: len(lines) == 12)
            top.press("\x03")
            top.expect_end(0)

            top = Top(tracker, socket, 12, 60)
            top.wait_for("the screen", lambda lines: len(lines) == 12)
            service.process.send_signal(signal.SIGSTOP)
            top.press("\x03")  # it may be waiting for an answer
            top.expect_end(0)
            service.process.send_signal(signal.SIGCONT)

            top = Top(tracker, socket, 12, 60)
            top.wait_for("the screen", lambda lines: len(lines) == 12)
            service.end()
            check("does not answer" in top.expect_end(1), "it does not say why it ends")
        finally:
            service.end()
    print("the screen is as it should be")


main()
