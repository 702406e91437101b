"""A result: rows of figures with named columns, as text, Markdown and JSON."""

import dataclasses


@dataclasses.dataclass
class Column:
    """`better` says which way a comparison of two builds should go: "more", "less" or neither."""
    key: str
    label: str
    form: str = "{:,.2f}"
    better: str = ""


@dataclasses.dataclass
class Table:
    name: str
    title: str
    columns: list
    rows: list = dataclasses.field(default_factory=list)
    note: str = ""

    def cells(self, row, longest):
        for column in self.columns:
            value = row.get(column.key)
            if value is None:
                yield "-"
            elif isinstance(value, str):
                yield value if len(value) <= longest else value[:longest - 3] + "..."
            else:
                yield column.form.format(value)

    def _grid(self, longest):
        return [["", *(column.label for column in self.columns)],
                *([row["name"], *self.cells(row, longest)] for row in self.rows)]

    def text(self):
        grid = self._grid(60)
        widths = [max(len(line[i]) for line in grid) for i in range(len(grid[0]))]
        lines = ["  ".join([line[0].ljust(widths[0]), *(cell.rjust(width)
                 for cell, width in zip(line[1:], widths[1:]))]).rstrip() for line in grid]
        return "\n".join([self.title, *lines])

    def markdown(self):
        grid = self._grid(1000)
        lines = [f"| {' | '.join(line)} |" for line in grid]
        lines.insert(1, "|---" + "|--:" * len(self.columns) + "|")
        return "\n".join([f"## {self.title}", *([self.note, ""] if self.note else []), *lines])

    def to_json(self):
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(data):
        return Table(**{**data, "columns": [Column(**column) for column in data["columns"]]})


def ratio(guest, native):
    return guest / native if guest is not None and native else None


def sides_columns(unit, better, form="{:,.1f}"):
    """Native, guest, and guest's ratio to native."""
    return [Column("native", f"native, {unit}", form), Column("guest", f"guest, {unit}", form),
            Column("ratio", "ratio", "{:.2f}", better)]
