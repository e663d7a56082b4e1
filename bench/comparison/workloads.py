"""The workloads: which contestants take part in each, and with which shape of load."""

import dataclasses
from typing import Callable

from . import contestants, measuring
from .load import Shape


@dataclasses.dataclass
class Entrant:
    """A contestant in a workload."""

    contestant: contestants.Contestant
    shape: Shape


@dataclasses.dataclass
class Workload:
    name: str
    text: str
    entrants: list
    measure: Callable
    setup_s: float = 2  # roughly how long a run takes in addition to its load
    load_s: float = None  # the length of the load, if not that of the settings
    once: bool = False  # one round is enough
    by_hand: bool = False  # runs only if asked for by name
    after: str = None  # a contestant runs this workload directly before, because the two are compared


def all_workloads(everyone, programs, settings):
    """All workloads, each with the contestants that can take part in it."""

    def for_all(can=lambda one: True, **shape):
        return [Entrant(one, Shape(**shape)) for one in everyone if can(one)]

    def with_one_worker(can=lambda one: True, **shape):
        return for_all(lambda one: one.one_worker and can(one), **shape)

    def counts(one):
        return one.counts

    drive = measuring.measure_load
    return [
        Workload("hot", "one token, one path", for_all(), drive),
        Workload("spread", "10,000 tokens x 100 paths, at random", for_all(kind="spread"), drive, after="hot"),
        Workload("pipelined", "hot, 16 requests a write", with_one_worker(pipeline=16), drive),
        Workload("single", "hot, 1 connection", with_one_worker(connections=1), drive),
        Workload("many", "hot, 256 connections", for_all(connections=256), drive),
        Workload(
            "spread-many",
            "spread, 256 connections",
            for_all(kind="spread", connections=256),
            drive,
            after="many",
        ),
        *_grpc(everyone, programs, drive),
        Workload("mint", "GET /auth", with_one_worker(_answers_auth, kind="mint"), drive),
        Workload(
            "idle",
            f"memory of each of {settings.idle_connections:,} idle connections",
            with_one_worker(),
            measuring.measure_idle,
            setup_s=6,
            load_s=1,
        ),
        Workload(
            "keys",
            f"memory of each of {settings.counters:,} counters",
            with_one_worker(counts),
            measuring.measure_keys,
            setup_s=settings.counters / 60_000,
            load_s=1,
        ),
        *_scale(everyone, programs, settings),
        Workload(
            "compaction",
            f"spread on the durable store for {settings.compaction_s} s",
            for_all(_is_durable_tracker, kind="spread"),
            measuring.measure_compaction,
            load_s=settings.compaction_s,
            once=True,
            by_hand=True,
        ),
        Workload(
            "start",
            f"spread on {settings.counters_to_open:,} counters that the durable store has opened",
            for_all(_is_durable_tracker, kind="spread"),
            measuring.measure_start,
            setup_s=settings.counters_to_open / 40_000,
            once=True,
            by_hand=True,
        ),
    ]


def in_turn(some):
    """The runs of one round, as pairs of workload and entrant. The speed of a machine changes within minutes, so runs
    that are compared follow each other."""
    turns = []
    for workload in some:
        for entrant in workload.entrants:
            places = (
                place
                for place, (other, before) in enumerate(turns, 1)
                if other.name == workload.after and before.contestant is entrant.contestant
            )
            turns.insert(next(places, len(turns)), (workload, entrant))
    return turns


def _answers_auth(one):
    return one.mints or one.name == "nginx"


def _grpc(everyone, programs, drive):
    """Compares tracker's gRPC with its own HTTP on the same store."""
    if not any(one.name == "memory" for one in everyone):
        return []
    counter = contestants.Contestant(
        "counter",
        "tracker counter, memory store",
        lambda ground: contestants.start_counter(ground, programs.tracker),
        speaks="grpc",
    )
    shape = Shape(connections=4, pipeline=64)
    return [
        Workload("grpc", "UpdateCounter by h2load, 4 connections of 64 streams", [Entrant(counter, shape)], drive)
    ]


def _is_durable_tracker(one):
    return one.durable and one.mints


def _other_redis(programs):
    """An envoy and a counter over what is not one Redis alone."""

    def over(name, title, start):
        return contestants.Contestant(
            name,
            f"1 envoy, 1 counter, {title}, 1 thread each",
            lambda ground: start(ground, programs.tracker),
            mints=True,
        )

    def cluster(masters):
        return over(
            f"cluster-{masters}",
            f"Redis Cluster of {masters} master{'s' * (masters > 1)}",
            lambda ground, tracker: contestants.start_fleet_on_cluster(ground, tracker, masters),
        )

    return [
        over("proxy", "nutcracker, Redis", contestants.start_fleet_behind_proxy),
        cluster(1),
        cluster(3),
        over("replica", "Redis, a replica waited for", contestants.start_fleet_with_replica),
    ]


def _scale(everyone, programs, settings):
    """The workloads that compare tracker with itself, in larger set-ups."""
    names = {one.name for one in everyone}

    def serve(name, title, threads=1):
        return contestants.Contestant(
            name,
            title,
            lambda ground: contestants.start_serve(ground, programs.tracker, "memory", threads),
            mints=True,
        )

    def fleet(envoys):
        return contestants.Contestant(
            f"envoys-{envoys}",
            f"{envoys} envoy{'s' * (envoys > 1)} on one counter, 1 thread each",
            lambda ground: contestants.start_fleet(ground, programs.tracker, threads=1, envoys=envoys),
            mints=True,
        )

    def partition(counters, balanced=False, killed=0):
        return contestants.Contestant(
            ("balanced" if balanced else "partition") + f"-{counters}" + f"-{killed}-killed" * (killed > 0),
            f"1 envoy on {counters} counter{'s' * (counters > 1)} that share the tokens"
            + " by a balancer" * balanced
            + f", {killed} of them killed" * (killed > 0)
            + ", 1 thread each",
            lambda ground: contestants.start_partition(ground, programs.tracker, counters, balanced, killed),
            mints=True,
        )

    def fleet_with(connections):
        return contestants.Contestant(
            f"envoys-1-{connections}",
            f"1 envoy on one counter, 1 thread each, {connections:,} connections",
            lambda ground: contestants.start_fleet(ground, programs.tracker, threads=1),
            mints=True,
        )

    drive = measuring.measure_load
    scale = []
    if "memory" in names:
        idle = settings.idle_connections
        scale += [
            Workload(
                "scale-threads",
                "hot, more threads",
                [
                    Entrant(serve("threads-1", "tracker serve, memory, 1 thread"), Shape()),
                    Entrant(serve("threads-2", "tracker serve, memory, 2 threads", 2), Shape()),
                ],
                drive,
            ),
            Workload(
                "scale-counters",
                f"hot, and spread over {settings.counters:,} counters",
                [
                    Entrant(serve("counters-1", "tracker serve, memory, 1 counter"), Shape()),
                    Entrant(
                        serve("counters-1m", f"tracker serve, memory, {settings.counters:,} counters"),
                        Shape("spread", filled=True),
                    ),
                ],
                drive,
                setup_s=2 + settings.counters / 100_000,
            ),
            Workload(
                "scale-idle",
                f"hot, beside {idle:,} idle connections",
                [
                    Entrant(serve("idle-0", "tracker serve, memory, none idle"), Shape()),
                    Entrant(serve("idle-10000", f"tracker serve, memory, {idle:,} idle"), Shape(idle=idle)),
                ],
                drive,
                setup_s=4,
            ),
        ]
    if "fleet" in names:
        scale.append(
            Workload(
                "scale-partition",
                "spread, 256 connections for each counter",
                [
                    *(
                        Entrant(fleet_with(connections), Shape("spread", connections=connections))
                        for connections in (256, 512, 768, 1024)
                    ),
                    *(
                        Entrant(partition(counters, balanced), Shape("spread", connections=256 * counters))
                        for balanced in (False, True)
                        for counters in (1, 2, 4)
                    ),
                    Entrant(partition(4, killed=1), Shape("spread", connections=768)),
                ],
                drive,
                setup_s=4,
            )
        )
        scale.append(
            Workload(
                "scale-redis",
                "spread, 256 connections, over other kinds of Redis",
                [Entrant(one, Shape("spread", connections=256)) for one in (fleet(1), *_other_redis(programs))],
                drive,
                setup_s=4,
            )
        )
        scale.append(
            Workload(
                "scale-envoys",
                "hot, 64 connections to each envoy",
                [Entrant(fleet(envoys), Shape()) for envoys in (1, 2, 4)],
                drive,
            )
        )
    return scale
