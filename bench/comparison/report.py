"""The table, the verdicts and the JSON file."""

import dataclasses
import json

from . import figures

_heads = (
    "",
    "requests/s",
    "±",
    "p50",
    "p99",
    "CPU/request",
    "resident",
    "each",
    "x nginx",
    "x floor",
    "errors",
)
_quiet = 0.05  # the share of the machine that other programs may use


def table(workloads, titles, all_rows):
    """Text: for each workload a block, with a line for each contestant. "x nginx" is requests/s over nginx's,
    "x floor" is CPU per request over floor's, of the same workload."""
    blocks = []
    for workload in workloads:
        rows = [row for row in all_rows if row.workload == workload.name]
        if rows:
            blocks.append((f"{workload.name}: {workload.text}", [_cells(row, rows, titles) for row in rows]))
    lines = [_heads] + [cells for _, block in blocks for cells in block]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_heads))]
    out = []
    for title, block in blocks:
        out += [title, _line(_heads, widths), *(_line(cells, widths) for cells in block), ""]
    return "\n".join(out)


def _line(cells, widths):
    first, *rest, last = zip(cells, widths)
    return "  ".join(
        [f"  {first[0]:{first[1]}}", *(f"{cell:>{width}}" for cell, width in rest), last[0]]
    ).rstrip()


def _cells(row, rows, titles):
    figure = row.medians
    return (
        titles[row.contestant],
        _or_empty("{:,.0f}", figure["rate"]),
        _or_empty("{:.0%}", row.spread),
        duration(figure["p50_us"]),
        duration(figure["p99_us"]),
        _or_empty("{:.2f} us", figure["cpu_us"]),
        _or_empty("{:.0f} MiB", figure["resident_bytes"] and figure["resident_bytes"] / 2**20),
        _each(figure),
        _ratio(row, rows, "nginx", "rate"),
        _ratio(row, rows, "floor", "cpu_us"),
        _errors(row),
    )


def _each(figure):
    memory = _or_empty("{:,.0f} B", figure["bytes_each"])
    disk = _or_empty(", {:,.0f} B on disk", figure["disk_bytes_each"])
    written = _or_empty(", {:.1f} x written", figure["write_amplification"])
    compacted = _or_empty(", {} tables compacted", figure["tables_compacted"])
    started = _or_empty(", answers {:.1f} s after its start", figure["start_s"])
    return (memory + disk + written + compacted + started).removeprefix(", ")


def _errors(row):
    if not row.errors:
        return "0"
    return f"{row.failed} of {row.runs} runs: " + "; ".join(sorted(set(row.errors)))[:160]


def _ratio(row, rows, peer, figure):
    over = next((other for other in rows if other.contestant == peer), None)
    return _or_empty("{:.2f}", over and figures.ratio(row, over, figure))


def _or_empty(pattern, value):
    return "" if value is None else pattern.format(value)


def duration(value_us):
    """The number in the most readable unit."""
    if value_us is None:
        return ""
    return f"{value_us:,.0f} us" if value_us < 1000 else f"{value_us / 1000:,.1f} ms"


def verdicts(all_verdicts):
    """Text: a line for each target."""
    lines = []
    for verdict in all_verdicts:
        target = verdict.target
        word = {True: "reached", False: "NOT REACHED", None: "?"}[verdict.reached]
        limit = (
            f"{'<=' if target.at_most else '>='} {target.limit:.2f}"
            if target.over
            else (f"<= {target.show(target.limit)}")
        )
        figure = verdict.reason if verdict.value is None else f"{target.show(verdict.value)} ({limit})"
        if verdict.of_medians is not None:
            figure += f", but {target.show(verdict.of_medians)} of the medians"
        lines.append(f"  {word:11}  {target.who}, {target.text}: {figure}")
    return "\n".join(lines)


def disturbance(runs):
    """Text: whether the machine was quiet."""
    shares = [run.others for run in runs if run.others is not None]
    loud = [share for share in shares if share > _quiet]
    if not loud:
        return "The machine was quiet." if shares else ""
    return (
        f"Others took up to {max(loud):.0%} of the machine, and over {_quiet:.0%} in {len(loud)} of "
        f"{len(shares)} runs: these figures are worth little. Measure again when nothing else runs."
    )


def run_line(run):
    """The line for one run, printed while others are still to come."""
    if run.errors:
        return f"FAILED: {'; '.join(run.errors)}"
    parts = [
        _or_empty("{:,.0f}/s", run.rate),
        run.p99_us is not None and f"p99 {duration(run.p99_us)}",
        _or_empty("CPU {:.2f} us", run.cpu_us) + _parts(run.cpu_us_of),
        _each(dataclasses.asdict(run)),
        run.others is not None and run.others > _quiet and f"others took {run.others:.0%} of the machine",
    ]
    return ", ".join(part for part in parts if part)


def _parts(cpu_us_of):
    """The share of each kind of process, if there are several."""
    if len(cpu_us_of) < 2:
        return ""
    return f" ({', '.join(f'{name} {cpu:.2f}' for name, cpu in sorted(cpu_us_of.items()))})"


def as_json(machine, versions, commands, settings, left_out, runs, all_rows, all_verdicts):
    """Everything in the table, and each run, as JSON."""
    return json.dumps(
        {
            "machine": machine,
            "versions": versions,
            "commands": commands,
            "settings": dataclasses.asdict(settings),
            "left_out": left_out,
            "rows": [dataclasses.asdict(row) for row in all_rows],
            "targets": [
                {
                    "who": verdict.target.who,
                    "what": verdict.target.text,
                    "limit": verdict.target.limit,
                    "at_most": verdict.target.at_most,
                    "value": verdict.value,
                    "reached": verdict.reached,
                    "of_medians": verdict.of_medians,
                    "reason": verdict.reason,
                }
                for verdict in all_verdicts
            ],
            "runs": [dataclasses.asdict(run) for run in runs],
        },
        indent=1,
    )
