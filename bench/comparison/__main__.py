"""Measures tracker and its peers on this machine, and prints one table. Each contestant has one worker, unless its
title says otherwise.

It installs what is missing (packaging/install-packages bench) and builds the release preset. Then it measures the
contestants in turn: it starts one on loopback in a directory of its own, loads it, and ends it. Contestants that
are compared run one after the other. It makes three rounds and takes medians. The figures depend on the machine as
well as on the programs. So let nothing else run meanwhile, and compare only figures of one table."""

import argparse
import os
import signal
import subprocess
import sys
import time

bench = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
root = os.path.dirname(bench)
sys.path[0] = bench

from comparison import contestants, figures, load, machine, measuring  # noqa: E402
from comparison import picture, processes, report, workloads  # noqa: E402


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    options = parse_arguments()
    programs = contestants.Programs(f"{options.programs}/tracker", f"{options.programs}/floor")
    settings = settings_of(options)
    everyone = contestants.all_contestants(programs)
    if options.contestants:
        everyone = [one for one in everyone if one.name in options.contestants]
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # nginx and haproxy, for users without it
    if not options.no_build:
        build()
    processes.raise_descriptor_limit(1 << 16)
    os.makedirs(options.output, exist_ok=True)
    processes.remove_leftovers(options.output)

    facts, versions = machine.facts(options.output), contestants.versions(programs)
    print("\n".join(f"{name:9}  {text}" for name, text in (facts | versions).items()), flush=True)
    comparison = Comparison(everyone, programs, settings, options)
    interruption = None
    try:
        comparison.run()
    except BaseException as error:  # pylint: disable=broad-exception-caught
        interruption = error
        print("\nInterrupted: the table holds what was measured so far.", flush=True)
    comparison.tell(facts, versions)
    if interruption and not isinstance(interruption, KeyboardInterrupt):
        raise interruption
    return 1 if any(run.errors for run in comparison.runs) else 0


class Comparison:
    """All runs and their results."""

    def __init__(self, everyone, programs, settings, options):
        self.runs = []
        self._settings = settings
        self._options = options
        self._left_out = {}
        self._commands = {}
        self._everyone = everyone
        self._programs = programs
        self._workloads = []

    def run(self):
        self._everyone = [one for one in self._everyone if self._takes_part(one)]
        only = self._options.only
        self._workloads = [
            one
            for one in workloads.all_workloads(self._everyone, self._programs, self._settings)
            if (one.name in only if only else not one.by_hand)
        ]
        to_do = [
            (number, workload, entrant)
            for number in range(1, self._settings.rounds + 1)
            for workload, entrant in workloads.in_turn(self._workloads)
            if number == 1 or not workload.once
        ]
        costs = [self._seconds(workload) for _, workload, _ in to_do]
        start = time.monotonic()
        for done, (number, workload, entrant) in enumerate(to_do):
            past = sum(costs[:done])
            pace = (time.monotonic() - start) / past if past else 1
            left_s = sum(costs[done:]) * pace
            print(
                f"[{done + 1}/{len(to_do)}, {_left(left_s)}] {workload.name}, round {number}, "
                f"{entrant.contestant.name}: ",
                end="",
                flush=True,
            )
            self.runs.append(self._one(number, workload, entrant))
            print(report.run_line(self.runs[-1]), flush=True)

    def tell(self, facts, versions):
        """Prints the table and the verdicts; writes the files."""
        rows = figures.rows(self.runs)
        titles = {
            entrant.contestant.name: entrant.contestant.title
            for workload in self._workloads
            for entrant in workload.entrants
        }
        measured = {row.workload for row in rows}
        verdicts = [figures.judge(target, rows) for target in figures.targets() if target.of[0] in measured]
        print("\n" + report.table(self._workloads, titles, rows))
        for name, reason in self._left_out.items():
            print(f"Left out: {name}: {reason}")
        print("What to reach (a ratio is the median of those within each round):\n" + report.verdicts(verdicts))
        print(report.disturbance(self.runs))
        _write(
            self._options.json,
            report.as_json(
                facts, versions, self._commands, self._settings, self._left_out, self.runs, rows, verdicts
            ),
        )
        if self._options.svg:
            note = f"{facts['processor']}, {facts['cores']} cores, {facts['kernel']}; wrk, 1 thread"
            _write(self._options.svg, picture.picture(self._everyone, rows, note))

    def _takes_part(self, contestant):
        """Returns whether the contestant starts and counts correctly."""
        try:
            with processes.Ground(self._options.output) as ground:
                measuring.try_out(contestant, ground)
                self._commands[contestant.name] = ground.commands()
                return True
        except (processes.StartError, load.LoadError) as error:
            reason = "not built yet" if "not built yet" in str(error) else str(error)
            self._left_out[contestant.name] = reason
            print(f"Left out: {contestant.name}: {reason}", flush=True)
            return False

    def _one(self, number, workload, entrant):
        run = figures.Run(workload.name, entrant.contestant.name, number, entrant.shape.connections)
        try:
            with processes.Ground(self._options.output) as ground:
                workload.measure(
                    entrant,
                    ground,
                    self._settings,
                    number,
                    run,
                    lambda text: print(f"\n  {text}", end="", flush=True),
                )
                self._commands.setdefault(entrant.contestant.name, ground.commands())
        except (processes.StartError, load.LoadError) as error:
            run.errors.append(str(error))
        return run

    def _seconds(self, workload):
        return (self._settings.seconds if workload.load_s is None else workload.load_s) + workload.setup_s


def _left(seconds):
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"Written: {os.path.relpath(path)}")


def build():
    """Installs and builds what is missing. Peers that cannot be installed are left out later."""
    for packages in ("test", "bench"):
        if _install(packages) != 0:
            print("Going on with the packages that are here", flush=True)
    print("Building", flush=True)
    configure = ["cmake", "--preset", "release", "-DTRACKER_TESTS=ON", "--log-level=WARNING"]
    make = ["cmake", "--build", "--preset", "release", "--target", "tracker", "floor"]
    for command in (configure, make):
        if processes.run(command, root) != 0:
            sys.exit("It could not be built")


def _install(packages):
    """Finishes even if this program must end, because half an installation leaves more behind than a whole one."""
    with subprocess.Popen([f"{root}/packaging/install-packages", packages]) as installation:
        try:
            return installation.wait()
        except BaseException:
            print("\nWaiting for the end of the installation", flush=True)
            installation.wait()
            raise


def settings_of(options):
    settings = measuring.Settings(compaction_s=int(options.compaction_minutes * 60))
    if options.quick:
        settings = measuring.Settings(
            seconds=1,
            rounds=1,
            idle_connections=1_000,
            counters=100_000,
            counters_to_open=200_000,
            compaction_s=10,
            segment_s=5,
        )
    settings.seconds = options.seconds or settings.seconds
    settings.rounds = options.rounds or settings.rounds
    return settings


def parse_arguments():
    anything = contestants.Programs("", "")
    everyone = contestants.all_contestants(anything)
    every_workload = workloads.all_workloads(everyone, anything, measuring.Settings())
    parser = argparse.ArgumentParser(
        prog="bench/compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="workloads:\n"
        + _listed((one.name, one.text + (" (only by name)" if one.by_hand else "")) for one in every_workload)
        + "\n\ncontestants:\n"
        + _listed((one.name, one.title) for one in everyone)
        + """

examples:
  bench/compare                             everything, in about 40 minutes
  bench/compare --quick                     only to see that everything works
  bench/compare --only hot --only spread    two workloads, in about nine minutes
  bench/compare --only hot --contestants memory,floor --rounds 5""",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="WORKLOAD",
        choices=[one.name for one in every_workload],
        help="measure only this workload; may be given more than once",
    )
    parser.add_argument(
        "--contestants", metavar="A,B", type=lambda text: text.split(","), help="measure only these"
    )
    parser.add_argument(
        "--quick", action="store_true", help="1 s a run, one round, fewer connections and counters"
    )
    parser.add_argument("--seconds", type=int, help="length of a run (default: 8)")
    parser.add_argument("--rounds", type=int, help="number of rounds (default: 3)")
    parser.add_argument(
        "--compaction-minutes",
        type=float,
        default=10,
        metavar="M",
        help="how long the workload compaction takes (default: 10)",
    )
    parser.add_argument(
        "--json", metavar="FILE", help="where all figures go (default: build/bench/compare.json)"
    )
    parser.add_argument("--svg", metavar="FILE", help="where the picture goes (default: none)")
    parser.add_argument(
        "--output",
        metavar="DIR",
        default=os.path.join(root, "build", "bench"),
        help="where contestants keep their data; its disk is measured (default: build/bench)",
    )
    parser.add_argument(
        "--programs",
        metavar="DIR",
        default=os.path.join(root, "build", "release"),
        help="where tracker and floor are (default: build/release)",
    )
    parser.add_argument("--no-build", action="store_true", help="use what is installed and built")
    options = parser.parse_args()
    if unknown := set(options.contestants or []) - {one.name for one in everyone}:
        parser.error(
            f"no such contestant: {', '.join(sorted(unknown))}; there are "
            + ", ".join(one.name for one in everyone)
        )
    options.output, options.programs = os.path.abspath(options.output), os.path.abspath(options.programs)
    options.json = options.json or os.path.join(options.output, "compare.json")
    return options


def _listed(pairs):
    return "\n".join(f"  {name:15}{text}" for name, text in pairs)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
