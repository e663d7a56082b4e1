"""One run: starts a contestant, loads it, and reads what it cost. Leaves nothing behind."""

import contextlib
import dataclasses
import os
import resource
import time

from . import grpc_load, http_load, load, machine, processes, redis_load

_bytes_of_a_counter = 16 + 20 + 8  # token id, path and count: the least that a durable hit must write


@dataclasses.dataclass
class Settings:
    """The length and size of a run."""

    seconds: int = 8
    rounds: int = 3
    idle_connections: int = 10_000
    counters: int = 1_000_000
    counters_to_open: int = 10_000_000
    compaction_s: int = 600
    segment_s: int = 20  # the interval that the compaction reports


def measure_load(entrant, ground, settings, seed, run, _say):
    """Requests/s, latencies and CPU per request under the entrant's shape of load."""
    shape = entrant.shape
    running = entrant.contestant.start(ground)
    client = client_of(entrant.contestant, running, ground)
    if shape.filled:
        _fill(client, running, client.tokens, settings.counters)
    with _idle(client, running, min(shape.idle, settings.idle_connections)) as idle:
        client.prepare(shape, settings.seconds)
        _drive(client, running, shape, ground, settings.seconds, seed, run)
        if idle:
            idle.ask_again()


def measure_idle(entrant, ground, settings, seed, run, _say):
    """Resident memory of an idle connection, once the server is warm."""
    running = entrant.contestant.start(ground)
    client = client_of(entrant.contestant, running, ground, tokens=1)
    client.prepare(entrant.shape, 1)
    client.drive(entrant.shape, 1, seed)
    before = processes.resident_bytes(ground.servers)
    with _idle(client, running, settings.idle_connections):
        run.resident_bytes = processes.resident_bytes(ground.servers)
    run.connections = settings.idle_connections
    run.bytes_each = (run.resident_bytes - before) / settings.idle_connections
    run.errors += _deaths(ground)


def measure_keys(entrant, ground, settings, seed, run, _say):
    """Memory of a counter: resident, or as Redis reports it. It includes the tokens, one for 100 counters."""
    running = entrant.contestant.start(ground)
    warm = client_of(entrant.contestant, running, ground, tokens=1)
    warm.prepare(entrant.shape, 1)
    warm.drive(entrant.shape, 1, seed)
    used = _used_memory(running, ground)
    client = client_of(entrant.contestant, running, ground, tokens=settings.counters // len(load.PATHS))
    _fill(client, running, client.tokens, settings.counters)
    run.bytes_each = (_used_memory(running, ground) - used) / settings.counters
    run.resident_bytes = processes.resident_bytes(ground.servers)
    run.errors += _deaths(ground)
    if running.data and entrant.contestant.durable:
        run.disk_bytes_each = _disk_bytes(running.data) / settings.counters


def measure_compaction(entrant, ground, settings, seed, run, say):
    """A long spread load, in segments. Each reports the longest wait for an answer, the p99, and what was written to
    the disk."""
    running = entrant.contestant.start(ground)
    client = client_of(entrant.contestant, running, ground)
    written = machine.disk_written_bytes(running.data)
    loads, tables, cpu = [], set(), processes.cpu_seconds(ground.servers)
    segments = max(1, settings.compaction_s // settings.segment_s)
    for number in range(segments):
        seen = client.drive(entrant.shape, settings.segment_s, seed * segments + number)
        loads.append(seen)
        tables |= (current := _tables(running.data))
        run.tables_compacted = len(tables - current)
        say(
            f"{(number + 1) * settings.segment_s:4} s: {seen.requests / seen.seconds:,.0f} requests/s, p99 "
            f"{seen.p99_us / 1000:.1f} ms, longest {seen.max_us / 1000:.1f} ms, on disk "
            f"{_disk_bytes(running.data) / 2**20:,.0f} MiB, {run.tables_compacted} tables compacted "
            f"{'; '.join(seen.errors)}"
        )
        run.errors += seen.errors + _deaths(ground)
    run.requests = sum(seen.requests for seen in loads)
    run.rate = run.requests / sum(seen.seconds for seen in loads)
    run.p50_us, run.p99_us, run.max_us = (
        max(getattr(seen, name) for seen in loads) for name in ("p50_us", "p99_us", "max_us")
    )
    run.cpu_us = (processes.cpu_seconds(ground.servers) - cpu) / run.requests * 1e6
    run.resident_bytes = processes.resident_bytes(ground.servers)
    if written is not None:
        written = machine.disk_written_bytes(running.data) - written
        run.write_amplification = written / (run.requests * _bytes_of_a_counter)
    for server in ground.servers:
        server.stop()
    counters = len(client.tokens) * len(load.PATHS)
    drawn_at_least_once = counters * (1 - (1 - 1 / counters) ** run.requests)
    run.disk_bytes_each = _disk_bytes(running.data) / drawn_at_least_once


def measure_start(entrant, ground, settings, seed, run, say):
    """How long a killed server takes to open a store of many counters and to answer from it, and its memory after a
    spread load over all of them."""
    running = entrant.contestant.start(ground)
    client = client_of(
        entrant.contestant, running, ground, tokens=settings.counters_to_open // len(load.PATHS)
    )
    _fill(client, running, client.tokens, settings.counters_to_open, say)
    run.errors += _deaths(ground)
    ground.servers.pop().kill()

    begin = time.monotonic()
    running = entrant.contestant.start(ground)
    counted = http_load.ask_count(running.port, load.PATHS[-1], client.tokens[-1])
    run.start_s = time.monotonic() - begin
    if counted != 2:
        run.errors.append(f"opened again, a counter answers {counted} where 2 is right")
    run.disk_bytes_each = _disk_bytes(running.data) / settings.counters_to_open
    client.move_to(running)
    _drive(client, running, entrant.shape, ground, settings.seconds, seed, run)


def try_out(contestant, ground):
    """Raises StartError or LoadError if a contestant does not start or does not count correctly."""
    running = contestant.start(ground)
    client = client_of(contestant, running, ground, tokens=2)
    answers = [client.count(), client.count()]
    if answers != ([1, 2] if running.counts else [None, None]):
        raise load.LoadError(f"{contestant.name} answers {answers} where 1 and 2 are right")
    if contestant.speaks == "http" and running.counts:
        for path, token in ((load.PATHS[1], client.tokens[0]), (load.PATHS[0], client.tokens[1])):
            if (count := http_load.ask_count(running.port, path, token)) != 1:
                raise load.LoadError(f"{contestant.name} answers {count} where 1 is right")


def client_of(contestant, running, ground, tokens=10_000):
    kinds = {"http": http_load.HttpLoad, "redis": redis_load.RedisLoad, "grpc": grpc_load.GrpcLoad}
    return kinds[contestant.speaks](running, ground, tokens)


def _drive(client, running, shape, ground, seconds, seed, run):
    """Runs the load between two readings of the CPU time. Then checks that every request was counted."""
    before = client.count() if shape.kind == "hot" else None
    start, busy = time.monotonic(), machine.busy_seconds()
    before_of, clients = processes.cpu_seconds_by_name(ground.servers), _own_cpu_seconds()
    try:
        seen = client.drive(shape, seconds, seed)
    except load.LoadError as error:
        raise load.LoadError("; ".join([*_deaths(ground), str(error)])) from error
    spent = {
        name: seconds - before_of[name]
        for name, seconds in processes.cpu_seconds_by_name(ground.servers).items()
    }
    servers = sum(spent.values())
    clients = _own_cpu_seconds() - clients
    others = machine.busy_seconds() - busy - servers - clients
    run.others = max(0, others) / ((time.monotonic() - start) * os.cpu_count())
    run.connections = shape.connections * len(running.ports)
    run.requests = seen.requests
    run.rate = seen.requests / seen.seconds
    run.p50_us, run.p99_us, run.max_us = seen.p50_us, seen.p99_us, seen.max_us
    run.cpu_us = servers / max(1, seen.requests) * 1e6
    run.cpu_us_of = {name: seconds / max(1, seen.requests) * 1e6 for name, seconds in spent.items()}
    run.resident_bytes = processes.resident_bytes(ground.servers)
    run.errors += seen.errors + _deaths(ground)
    if before is not None and not run.errors:
        counted = client.count() - before
        if not seen.requests < counted <= seen.requests + client.beyond(shape):
            run.errors.append(f"{counted - 1} were counted, {seen.requests} answered")
    elif not run.errors:
        client.count()  # raises if it no longer answers


def _deaths(ground):
    return [f"{server.name} ended: {server.last_words()}" for server in ground.servers if not server.alive()]


def _idle(client, running, count):
    if not count:
        return contextlib.nullcontext()
    request = client.protocol.request(load.PATHS[1], client.tokens[0])
    return load.IdleConnections(running.port, count, request, client.protocol)


def _fill(client, running, tokens, counters, say=lambda text: None):
    """Counts once for each token and path, and checks that each answer is 1."""
    paths = load.PATHS[: max(1, counters // len(tokens))]
    first = 0
    for done, path in enumerate(paths):
        if done % 10 == 0:
            say(f"{done} of {len(paths)} paths of {len(tokens):,} tokens are counted")
        requests = [client.protocol.request(path, token) for token in tokens]
        for answers in load.pipelined(running.port, requests, client.protocol):
            first += answers.count(client.protocol.first_count)
    new = len(paths) * len(tokens)
    if running.counts and first != new:
        raise load.LoadError(f"{first} first counts for {new} new counters")


def _used_memory(running, ground):
    """The memory of the Redis that keeps the counts, or of the server."""
    return (
        redis_load.used_memory(running.redis_port)
        if running.redis_port
        else (processes.resident_bytes(ground.servers))
    )


def _tables(directory):
    """RocksDB's tables. Each name is used only once."""
    return {name for _, _, names in os.walk(directory) for name in names if name.endswith(".sst")}


def _disk_bytes(directory):
    """The bytes that the files in a directory take on disk."""
    total = 0
    for path, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(os.path.join(path, name)).st_blocks * 512
    return total


def _own_cpu_seconds():
    """The CPU time of this process and of the clients that it has waited for. It waits for servers only after a run."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
