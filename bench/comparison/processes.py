"""Starts servers and clients so that they always end with this program, and reads what they cost."""

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_ticks_per_second = os.sysconf("SC_CLK_TCK")
_page_bytes = os.sysconf("SC_PAGE_SIZE")
_directory_prefix = "tracker-compare-"  # and our process id, to recognise what a killed run left
_interruptions = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_start_limit_s = 20
_end_limit_s = 20


class StartError(Exception):
    """A server did not start. Says why, with the end of the server's output."""


class Server:
    """A started program and everything that it starts: one process group."""

    def __init__(self, name, command, process, log_path):
        self.name = name
        self.command = command
        self.log_path = log_path
        self._process = process

    @property
    def pid(self):
        return self._process.pid

    def alive(self):
        return self._process.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def last_words(self):
        lines = [line for line in self.log().splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"exit {self._process.poll()}"

    def wait_until(self, is_ready):
        """Returns what is_ready() returns, once that is true."""
        deadline = time.monotonic() + _start_limit_s
        while time.monotonic() < deadline:
            if not self.alive():
                raise StartError(f"{self.name}: {self.last_words()}")
            if result := is_ready():
                return result
            time.sleep(0.01)
        raise StartError(f"{self.name}: not ready after {_start_limit_s} s: {self.last_words()}")

    def kill(self):
        """Ends it like a crash."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(_end_limit_s)

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_end_limit_s)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


class Ground:
    """A directory on disk and the servers started in it. Leaving the `with` ends them and removes it."""

    def __init__(self, parent_directory):
        self._parent_directory = parent_directory
        self.servers = []

    def __enter__(self):
        self.directory = tempfile.mkdtemp(
            prefix=f"{_directory_prefix}{os.getpid()}-", dir=self._parent_directory
        )
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def commands(self):
        """The command line, without this directory's name."""
        return [" ".join(server.command).replace(self.directory, "DIR") for server in self.servers]

    def start(self, name, *command):
        """Raises StartError if there is no such program."""
        log_path = self.path(f"{name}-{len(self.servers)}.log")
        with open(log_path, "wb") as log:
            try:
                with _uninterrupted():
                    process = _spawn(
                        command, stdout=log, stderr=log, cwd=self.directory, env=_plain_environment()
                    )
                    self.servers.append(Server(name, command, process, log_path))
            except OSError as error:
                raise StartError(f"{name}: {error}") from error
        return self.servers[-1]


def remove_leftovers(parent_directory):
    """Removes the directories of runs that were killed."""
    for entry in os.listdir(parent_directory):
        owner = entry.removeprefix(_directory_prefix).partition("-")[0]
        if entry.startswith(_directory_prefix) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            shutil.rmtree(os.path.join(parent_directory, entry), ignore_errors=True)


def run(command, directory):
    """Runs a command and returns its exit code. Neither it nor what it starts outlives this call."""
    process = None
    try:
        with _uninterrupted():
            process = _spawn(command, cwd=directory)
        return process.wait()
    finally:
        if process and process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def run_clients(commands, limit_s):
    """Runs the commands side by side. Returns the standard output of each. Raises what subprocess.run raises. None of
    them outlives this call."""
    deadline = time.monotonic() + limit_s
    started = []
    try:
        for command in commands:
            with _uninterrupted():
                started.append(
                    _spawn(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                )
        outputs = [process.communicate(timeout=deadline - time.monotonic())[0] for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    for process, output in zip(started, outputs):
        if process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, process.args, output)
    return outputs


@contextlib.contextmanager
def _uninterrupted():
    """Signals that end this program wait until the block has ended. What the block starts is thus known to whoever ends
    it. Otherwise an interruption within Popen would leave a process that nobody knows."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _interruptions)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _spawn(command, **options):
    """Starts it in a new process group. A Ctrl-C at the terminal does not reach that group, so we end it. To be called
    within _uninterrupted()."""
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_end_with_parent, **options
    )


def raise_descriptor_limit(wanted):
    """Raises the limit for this process and what it starts. Root may go past the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limits in ((wanted, max(wanted, hard)), (min(wanted, hard), hard)):
        with contextlib.suppress(ValueError, PermissionError):
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            return


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cpu_seconds(servers):
    """User and system time of the servers' processes so far."""
    return sum(cpu_seconds_by_name(servers).values())


def cpu_seconds_by_name(servers):
    """The same, for each name that servers have."""
    seconds = {server.name: 0 for server in servers}
    for pid, server in _processes(servers):
        fields = _stat_fields(pid)
        seconds[server.name] += (int(fields[11]) + int(fields[12])) / _ticks_per_second
    return seconds


def resident_bytes(servers):
    total = 0
    for pid, _ in _processes(servers):
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
            total += int(statm.read().split()[1]) * _page_bytes
    return total


def _processes(servers):
    """The id of each process, and its server."""
    groups = {server.pid: server for server in servers}
    for entry in os.listdir("/proc"):
        with contextlib.suppress(ProcessLookupError):
            if entry.isdigit() and (server := groups.get(os.getpgid(int(entry)))):
                yield int(entry), server


def _stat_fields(pid):
    """The fields of /proc/PID/stat from the third on. The second, a name, may hold spaces."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()


def _plain_environment():
    """The environment without settings of tracker, which would change what is measured."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TRACKER_") and not name.endswith("_ADDR")
    }


def _end_with_parent():
    """Sends SIGTERM, not SIGKILL, so that nginx also ends its worker. The program begins with no signal blocked."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _interruptions)
