"""The requests/s of one workload as a picture: SVG bars, readable on a light and on a dark page."""

import math
from xml.sax.saxutils import escape

_workload = "hot"
_shown = ("memory", "durable", "fleet", "haproxy", "lua", "redis-always")
_width, _bars_x, _bars_width, _line_height = 880, 320, 460, 34

_style = """
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 }
.note { font-size: 12px; fill: #59636e }
.line { stroke: #d1d9e0 }
.spread { stroke: #1f2328; stroke-width: 1.5; fill: none }
.peer { fill: #818b98; stroke: #818b98 }
.ours { fill: #0969da; stroke: #0969da }
.volatile { fill-opacity: 0.15 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.note { fill: #9198a1 }
.line { stroke: #3d444d }
.spread { stroke: #e6edf3 }
.peer { fill: #9198a1; stroke: #9198a1 }
.ours { fill: #4493f8; stroke: #4493f8 }
}
"""


def picture(everyone, all_rows, note):
    """The requests/s of the contestants, the fastest first, with the lowest and the highest round of each."""
    rows = [row for row in all_rows if row.workload == _workload and row.contestant in _shown and _rates(row)]
    rows.sort(key=lambda row: row.medians["rate"], reverse=True)
    who = {one.name: one for one in everyone}
    step = _step(max((rate for row in rows for rate in _rates(row)), default=1))
    most = step * math.ceil(max((rate for row in rows for rate in _rates(row)), default=1) / step)

    def x(rate):
        return _bars_x + round(rate / most * _bars_width)

    parts = [
        _text(10, 26, "Counted requests per second: one token, one path, 64 connections, one worker", "head"),
        _legend(46),
    ]
    top = 74
    bottom = top + len(rows) * _line_height
    for rate in range(0, most + 1, step):
        parts.append(f'<line class="line" x1="{x(rate)}" y1="{top}" x2="{x(rate)}" y2="{bottom}"/>')
        parts.append(_text(x(rate), bottom + 18, f"{rate:,}", "note", "middle"))
    for number, row in enumerate(rows):
        middle = top + number * _line_height + _line_height // 2
        one = who[row.contestant]
        kind = ("ours" if one.mints else "peer") + ("" if one.durable else " volatile")
        low, high = min(_rates(row)), max(_rates(row))
        parts.append(_text(10, middle + 5, one.title, "head" if one.mints else ""))
        parts.append(_bar(kind, _bars_x, middle - 9, x(row.medians["rate"]) - _bars_x))
        parts.append(
            f'<path class="spread" d="M{x(low)} {middle - 4}v8M{x(low)} {middle}H{x(high)}M{x(high)} {middle - 4}v8"/>'
        )
        parts.append(_text(max(x(high), x(row.medians["rate"])) + 8, middle + 5, f"{row.medians['rate']:,.0f}"))
    parts.append(_text(10, bottom + 44, note, "note"))
    height = bottom + 56
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_width} {height}" width="{_width}" '
        f'height="{height}" role="img" aria-label="Counted requests per second of tracker and its peers">\n'
        f"<style>{_style}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _rates(row):
    return [one["rate"] for one in row.by_round.values() if one["rate"]]


def _step(most):
    """The distance between two lines of the scale: 1, 2 or 5 with zeros, so that there are at most eight lines."""
    for power in range(12):
        for digit in (1, 2, 5):
            if most <= 7 * digit * 10**power:
                return digit * 10**power
    return 10**12


def _legend(y):
    words = [
        ("peer", "durable: on disk before the answer", 10),
        ("peer volatile", "volatile: lost when its process or Redis ends", 270),
    ]
    parts = []
    for kind, text, x in words:
        parts += [_bar(kind, x, y - 10, 22, 12), _text(x + 30, y, text, "note")]
    parts.append(f'<path class="spread" d="M590 {y - 8}v8M590 {y - 4}H612M612 {y - 8}v8"/>')
    parts.append(_text(620, y, "slowest and fastest round", "note"))
    return "\n".join(parts)


def _bar(kind, x, y, width, height=18):
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{max(1, width)}" height="{height}" rx="2"/>'


def _text(x, y, text, kind="", anchor="start"):
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
