"""The machine: its description, the cost of a sync to its disk, and how busy other programs keep it."""

import ctypes
import os
import platform
import statistics
import time

_append_bytes = 200
_appends = 400
_sector_bytes = 512  # Linux, Documentation/block/stat.rst, even if the disk has other sectors


def facts(directory):
    """Short texts, by name, about the machine and the disk that holds the directory."""
    kind = _file_system(directory)
    cost = _append_cost_us(directory)
    memory = _first_value("/proc/meminfo", "MemTotal", "0 kB").split()[0]
    return {
        "processor": _first_value("/proc/cpuinfo", "model name", platform.machine()),
        "cores": str(os.cpu_count()),
        "memory": f"{int(memory) / 2**20:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "io_uring": _io_uring(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "?"),
        "disk": f"{kind}, {_append_bytes} bytes appended with fdatasync: {cost:,.0f} us (median)",
    }


def busy_seconds():
    """User and system time of everything on the machine, and the time that its host took away, so far."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _, _, _, _, steal = (int(field) for field in stat.readline().split()[1:9])
    return (user + nice + system + steal) / os.sysconf("SC_CLK_TCK")


def disk_written_bytes(directory):
    """The bytes written so far, by anyone, to the disk that holds the directory. None if it is not on a single disk.
    The figure of Linux for a process (write_bytes) is no substitute: it counts every byte of each page that became
    dirty, and the pages that ext4 now uses are large."""
    device = os.stat(directory).st_dev
    try:
        with open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat", encoding="ascii") as stat:
            return int(stat.read().split()[6]) * _sector_bytes
    except FileNotFoundError:
        return None


def _io_uring():
    """Says whether a process may use io_uring. Many containers forbid it. Then each answer takes a system call."""
    setup, parameter_bytes = 425, 120  # asm-generic/unistd.h; struct io_uring_params
    libc = ctypes.CDLL(None, use_errno=True)
    ring = libc.syscall(setup, 1, ctypes.create_string_buffer(parameter_bytes))
    if ring < 0:
        return f"not allowed: {os.strerror(ctypes.get_errno())}"
    os.close(ring)
    return "allowed"


def _append_cost_us(directory):
    path = os.path.join(directory, "append")
    costs = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(_appends):
            start = time.perf_counter()
            file.write(b"x" * _append_bytes)
            os.fdatasync(file.fileno())
            costs.append(time.perf_counter() - start)
    os.unlink(path)
    return statistics.median(costs) * 1e6


def _file_system(directory):
    """The kind of the file system that holds the directory."""
    directory = os.path.realpath(directory)
    best = ("", "?")
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, point, kind = line.split()[:3]
            if (directory + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
                best = (point, kind)
    return best[1]


def _first_value(path, name, otherwise):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith(name):
                return line.partition(":")[2].strip()
    return otherwise
