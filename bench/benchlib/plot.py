"""A plot as SVG: horizontal bars of throughput relative to native, on a logarithmic axis."""

import math
from xml.sax.saxutils import escape

BAR, GAP, LEFT, WIDTH, TOP = 12, 4, 190, 520, 46
LOW, HIGH = 1 / 8, 8
COLOURS = ("#3b6ea5", "#c05a2e")


def _x(value):
    share = (math.log(min(max(value, LOW), HIGH)) - math.log(LOW)) / (math.log(HIGH) - math.log(LOW))
    return LEFT + share * WIDTH


def _text(x, y, text, anchor="end", size=11):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'font-family="sans-serif">{escape(text)}</text>')


def _bars(tables):
    """(label, [throughput relative to native of one process, of two])."""
    if "scaling" in tables:
        for row in tables["scaling"].rows:
            yield row["name"], [row.get("ratio_1"), row.get("ratio_2")]
    for name in ("redis", "nginx", "pgbench"):
        if name in tables:
            for row in tables[name].rows:
                yield row["name"], [row.get("ratio")]
    if "workloads" in tables:
        for row in tables["workloads"].rows:
            yield row["name"], [1 / row["ratio"] if row.get("ratio") else None]


def draw(tables):
    parts, y = [], TOP
    for label, values in _bars(tables):
        values = [(value, COLOURS[i]) for i, value in enumerate(values) if value]
        parts.append(_text(LEFT - 8, y + BAR * max(1, len(values)) / 2 + 4, label))
        for value, colour in values:
            left, right = sorted((_x(1), _x(value)))
            parts.append(f'<rect x="{left:.1f}" y="{y}" width="{max(1, right - left):.1f}" height="{BAR}" fill="{colour}"/>')
            inside = value >= 1
            parts.append(_text(right + 4 if inside else left - 4, y + BAR - 2, f"{value:.2f}",
                               "start" if inside else "end", 9))
            y += BAR
        y += GAP
    grid = []
    value = LOW
    while value <= HIGH:
        stroke = "#000" if value == 1 else "#ccc"
        grid.append(f'<line x1="{_x(value):.1f}" x2="{_x(value):.1f}" y1="{TOP - 8}" y2="{y}" stroke="{stroke}"/>')
        grid.append(_text(_x(value), TOP - 12, f"{value:g}", "middle"))
        value *= 2
    title = _text(LEFT, 16, "Throughput, native = 1 (longer to the right is faster)", "start", 13)
    legend = "".join(f'<rect x="{LEFT + 380 + 80 * i}" y="7" width="10" height="10" fill="{colour}"/>' +
                     _text(LEFT + 394 + 80 * i, 16, f"{i + 1} at once", "start", 10)
                     for i, colour in enumerate(COLOURS))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 40}" height="{y + 10}">'
            f'<rect width="100%" height="100%" fill="#fff"/>{title}{legend}{"".join(grid)}{"".join(parts)}</svg>\n')
