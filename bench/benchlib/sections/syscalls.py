"""Single system calls of one process (syscalls.cc)."""

import json

from benchlib.side import in_turns, median
from benchlib.table import Table, ratio, sides_columns


def measure(context):
    figures = {}
    names = []
    for number in range(context.rounds):
        for side in in_turns(context.sides, number):
            output = side.run([f"{side.directory}/syscalls"]).stdout.decode()
            for line in output.splitlines():
                figure = json.loads(line)
                if figure["name"] not in names:
                    names.append(figure["name"])
                figures.setdefault((figure["name"], side.name), []).append(figure["ns"])
    rows = []
    for name in names:
        row = {side.name: median(figures.get((name, side.name), [])) for side in context.sides}
        rows.append({"name": name, **row, "ratio": ratio(row.get("guest"), row.get("native"))})
    return [Table("syscalls", "Single calls of one process", sides_columns("ns", "less"), rows)]
