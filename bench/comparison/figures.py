"""Medians and ratios of the runs, and whether tracker reaches its targets. Pure."""

import dataclasses
import statistics
from typing import Callable, Optional


@dataclasses.dataclass
class Run:
    """One run of one contestant under one workload. A figure without a meaning there is None."""

    workload: str
    contestant: str
    round: int
    connections: int = 0
    requests: Optional[int] = None
    rate: Optional[float] = None  # requests/s
    p50_us: Optional[float] = None
    p99_us: Optional[float] = None
    max_us: Optional[float] = None
    cpu_us: Optional[float] = None  # of all the server's processes, per request
    cpu_us_of: dict = dataclasses.field(default_factory=dict)  # the same, by the processes' names
    resident_bytes: Optional[int] = None  # of all the server's processes, at the end
    bytes_each: Optional[float] = None  # memory per idle connection, or per counter
    disk_bytes_each: Optional[float] = None  # per counter
    write_amplification: Optional[float] = None
    tables_compacted: Optional[int] = None  # at least: files of counts that were seen and are gone
    start_s: Optional[float] = None  # from the start of the program to its first answer
    others: Optional[float] = None  # the share of the machine that others used meanwhile, 0 to 1
    errors: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Row:
    """All runs of one contestant under one workload."""

    workload: str
    contestant: str
    connections: int
    runs: int
    errors: list  # of all runs; the medians leave out runs with errors
    failed: int
    medians: dict  # by the names of Run's figures
    by_round: dict  # the same for each run without errors
    spread: Optional[
        float
    ]  # of the requests/s: half the difference between highest and lowest, over the median


FIGURES = (
    "requests",
    "rate",
    "p50_us",
    "p99_us",
    "max_us",
    "cpu_us",
    "resident_bytes",
    "bytes_each",
    "disk_bytes_each",
    "write_amplification",
    "tables_compacted",
    "start_s",
    "others",
)


def rows(runs):
    """A row for each workload and contestant, in the order in which they first ran."""
    together = {}
    for run in runs:
        together.setdefault((run.workload, run.contestant), []).append(run)
    return [_row(*names, group) for names, group in together.items()]


def _row(workload, contestant, runs):
    good = [run for run in runs if not run.errors]
    by_round = {run.round: {name: getattr(run, name) for name in FIGURES} for run in good}
    medians = {}
    for name in FIGURES:
        values = [one[name] for one in by_round.values() if one[name] is not None]
        medians[name] = statistics.median(values) if values else None
    rates = [run.rate for run in good if run.rate]
    spread = (max(rates) - min(rates)) / 2 / statistics.median(rates) if len(rates) > 1 else None
    errors = [error for run in runs for error in run.errors]
    return Row(
        workload,
        contestant,
        runs[0].connections,
        len(runs),
        errors,
        len(runs) - len(good),
        medians,
        by_round,
        spread,
    )


@dataclasses.dataclass
class Target:
    """One target: a figure of one row, alone or divided by another row's, and its limit."""

    who: str
    text: str
    figure: str
    of: tuple  # workload and contestant
    over: Optional[tuple]
    limit: float
    at_most: bool
    show: Callable = "{:.3f}".format


@dataclasses.dataclass
class Verdict:
    target: Target
    value: Optional[float]
    reached: Optional[bool]  # None: not known
    reason: str = ""  # why not
    of_medians: Optional[float] = None  # the ratio of the rows' medians, if its verdict differs


def ratio(of, over, figure):
    """The ratio of two rows' figures in the same round, as the median of all rounds. So it matters less if the machine
    is slower in one minute than in the next. None if no round has both figures."""
    ratios = [
        of.by_round[number][figure] / over.by_round[number][figure]
        for number in of.by_round.keys() & over.by_round.keys()
        if of.by_round[number][figure] and over.by_round[number][figure]
    ]
    return statistics.median(ratios) if ratios else None


def judge(target, all_rows):
    by_name = {(row.workload, row.contestant): row for row in all_rows}
    found = []
    for wanted in filter(None, (target.of, target.over)):
        row = by_name.get(wanted)
        if row is None:
            return Verdict(target, None, None, "not measured: " + " ".join(wanted))
        if row.failed:
            return Verdict(target, None, None, f"{row.failed} of {row.runs} runs failed: " + " ".join(wanted))
        found.append(row)
    value = ratio(*found, target.figure) if target.over else found[0].medians[target.figure]
    if value is None:
        return Verdict(target, None, None, "no figure")
    verdict = Verdict(target, value, _is_within(value, target))
    if target.over:
        of_medians = found[0].medians[target.figure] / found[1].medians[target.figure]
        if _is_within(of_medians, target) != verdict.reached:
            verdict.of_medians = of_medians
    return verdict


def _is_within(value, target):
    return value <= target.limit if target.at_most else value >= target.limit


def _cpu(who, text, of, over, limit):
    return Target(who, text, "cpu_us", _row_name(of), _row_name(over), limit, at_most=True)


def _rate(who, text, of, over, limit):
    return Target(who, text, "rate", _row_name(of), _row_name(over), limit, at_most=False)


def _time(who, text, figure, of, over, limit):
    return Target(who, text, figure, _row_name(of), _row_name(over), limit, at_most=True)


def _bytes(who, text, of, limit):
    return Target(who, text, "bytes_each", _row_name(of), None, limit, True, "{:,.0f} bytes".format)


def _row_name(text):
    """The workload and the contestant that the text names."""
    return tuple(text.split())


def targets():
    """All targets, in the order in which they are printed."""
    return _memory_targets() + _durable_targets() + _fleet_targets() + _scale_targets()


def _memory_targets():
    who = "serve, memory"
    return [
        _cpu(who, "hot: CPU per request / floor", "hot memory", "hot floor", 1.30),
        _cpu(who, "hot: CPU per request / HAProxy", "hot memory", "hot haproxy", 0.80),
        _cpu(who, "hot: CPU per request / nginx + Lua", "hot memory", "hot lua", 0.70),
        _cpu(who, "spread: CPU per request / its own hot", "spread memory", "hot memory", 1.25),
        _rate(who, "pipelined: requests/s / HAProxy", "pipelined memory", "pipelined haproxy", 6),
        _rate(who, "pipelined: requests/s / nginx", "pipelined memory", "pipelined nginx", 5),
        _cpu(who, "grpc: CPU per call / an HTTP hit", "grpc counter", "hot memory", 2),
        _bytes(who, "idle: memory per connection", "idle memory", 4096),
        _bytes(who, "keys: memory per counter", "keys memory", 100),
    ]


def _durable_targets():
    who = "serve, durable"
    return [
        _rate(who, "hot, 64: requests/s / memory", "hot durable", "hot memory", 0.65),
        _rate(who, "hot, 64: requests/s / Redis INCR, always", "hot durable", "hot redis-always", 1.25),
        _rate(who, "hot, 256: requests/s / memory", "many durable", "many memory", 0.75),
        _rate(who, "hot, 256: requests/s / Redis INCR, always", "many durable", "many redis-always", 1.25),
        _rate(who, "spread, 64: requests/s / memory", "spread durable", "spread memory", 0.40),
        _rate(who, "spread, 256: requests/s / memory", "spread-many durable", "spread-many memory", 0.55),
        Target(
            who,
            "compaction: longest wait for an answer",
            "max_us",
            ("compaction", "durable"),
            None,
            250_000,
            True,
            lambda value: f"{value / 1000:,.0f} ms",
        ),
        Target(
            who,
            "start: until the first answer",
            "start_s",
            ("start", "durable"),
            None,
            5,
            True,
            "{:,.1f} s".format,
        ),
    ]


def _fleet_targets():
    """The fleet's targets, also with the default of --threads, against the same nginx with one worker. More threads do
    not help a single connection."""
    who = "envoy + counter + Redis"
    return [
        *_fleet_load_targets(who, "fleet"),
        _time(who, "single: p50 / nginx", "p50_us", "single fleet", "single nginx", 4.25),
        *_fleet_load_targets(who + ", default threads", "fleet-default"),
    ]


def _fleet_load_targets(who, fleet):
    """wrk itself is slower when it draws requests at random. So each spread target comes twice: against an nginx that
    gets the same requests, and against one that gets the hot path, which is the stricter target."""
    return [
        _rate(who, "hot, 64: requests/s / nginx", "hot " + fleet, "hot nginx", 0.50),
        _rate(who, "hot, 256: requests/s / nginx", "many " + fleet, "many nginx", 0.85),
        _time(who, "hot, 64: p99 / nginx", "p99_us", "hot " + fleet, "hot nginx", 5),
        _time(who, "hot, 256: p99 / nginx", "p99_us", "many " + fleet, "many nginx", 2),
        _rate(who, "spread, 64: requests/s / nginx", "spread " + fleet, "spread nginx", 0.42),
        _rate(who, "spread, 64: requests/s / nginx's hot", "spread " + fleet, "hot nginx", 0.42),
        _rate(who, "spread, 256: requests/s / nginx", "spread-many " + fleet, "spread-many nginx", 0.60),
        _rate(who, "spread, 256: requests/s / nginx's hot", "spread-many " + fleet, "many nginx", 0.60),
    ]


def _scale_targets():
    serve, fleet = "scale of serve", "scale of envoys"
    threads, envoys = "scale-threads threads-", "scale-envoys envoys-"
    counters, idle = "scale-counters counters-", "scale-idle idle-"
    return [
        _cpu(serve, "CPU per request, 2 threads / 1", threads + "2", threads + "1", 1.15),
        _cpu(serve, "CPU per request, 1 M counters / 1", counters + "1m", counters + "1", 1.25),
        _cpu(serve, "CPU per request, 10,000 idle / none", idle + "10000", idle + "0", 1.05),
        _rate(serve, "requests/s, 10,000 idle / none", idle + "10000", idle + "0", 0.95),
        *(
            target
            for way, words in (("partition", "in a partition"), ("balanced", "by a balancer"))
            for n in (1, 2, 4)
            for target in _partition_targets(f"{way}-{n}", f"{n} {words}", 256 * n)
        ),
        *_partition_targets("partition-4-1-killed", "1 of 4 killed", 768),
        _cpu(fleet, "CPU per request, 2 envoys / 1", envoys + "2", envoys + "1", 1.15),
        _cpu(fleet, "CPU per request, 4 envoys / 1", envoys + "4", envoys + "1", 1.15),
    ]


def _partition_targets(partition, words, connections):
    """Several counters have more connections. So their target comes twice: against one counter with as many connections,
    and against one with 256, as many as each of them has, which is the stricter target."""
    return [
        _cpu(
            "scale of counters",
            f"CPU per request, {words} / 1 plain, {its} connections",
            f"scale-partition {partition}",
            f"scale-partition envoys-1-{its}",
            1.25,
        )
        for its in dict.fromkeys((connections, 256))
    ]
