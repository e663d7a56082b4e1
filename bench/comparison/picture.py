"""The table as a picture: SVG bars, readable on a light and on a dark page."""

from xml.sax.saxutils import escape

_workloads = ("hot", "spread", "many")
_width, _bars_x, _bar_width, _line_height = 880, 330, 330, 24

_style = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 }
.note { fill: #656d76 }
.peer { fill: #afb8c1 }
.ours { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.note { fill: #8d96a0 }
.peer { fill: #484f58 }
.ours { fill: #388bfd }
}
"""


def picture(workloads, titles, ours, all_rows, note):
    """The requests/s and CPU per request of each contestant under the main workloads."""
    parts, y = [], 10
    for workload in (one for one in workloads if one.name in _workloads):
        rows = [row for row in all_rows if row.workload == workload.name and row.medians["rate"]]
        if not rows:
            continue
        y += 20
        parts.append(_text(10, y, f"{workload.name}: {workload.text}", "head"))
        parts.append(_text(_bars_x, y, "requests/s", "note"))
        parts.append(_text(_width - 10, y, "CPU per request", "note", "end"))
        most = max(row.medians["rate"] for row in rows)
        for row in rows:
            rate, cpu_us = row.medians["rate"], row.medians["cpu_us"]
            y += _line_height
            width = max(1, round(rate / most * _bar_width))
            kind = "ours" if row.contestant in ours else "peer"
            parts.append(_text(10, y, titles[row.contestant]))
            parts.append(
                f'<rect class="{kind}" x="{_bars_x}" y="{y - 13}" width="{width}" height="17" rx="3"/>'
            )
            parts.append(_text(_bars_x + width + 6, y, f"{rate:,.0f}"))
            parts.append(_text(_width - 10, y, f"{cpu_us:.1f} us", "", "end"))
        y += _line_height
    parts.append(_text(10, y + 4, note, "note"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_width} {y + 16}" width="{_width}" '
        f'height="{y + 16}" role="img" aria-label="Requests per second of tracker and its peers">\n'
        f"<style>{_style}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _text(x, y, text, kind="", anchor="start"):
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
