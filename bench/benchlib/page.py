"""docs/performance.md: the tables, in the order of measuring, with a plot."""

from benchlib import plot

HEAD = """# Performance

Written by `bench/lxss_bench.py --write` from one run on a machine with {cpus} cores (Linux {kernel}).
When it began, {load:.1f} other threads ran on average; what others do disturbs most where two processes run.
Both sides of every row were measured in that run, in turns, and the median of the rounds counts;
figures are good as ratios, absolute times mean nothing elsewhere. bench/README.md says what is measured and how.

![Throughput of the guest, native = 1]({plot})
"""


def write(path, result, tables):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = path.with_suffix(".svg")
    image.write_text(plot.draw(tables))
    parts = [HEAD.format(**result | {"kernel": result["kernel"].split("-")[0]}, plot=image.name), *(table.markdown() for table in tables.values())]
    path.write_text("\n\n".join(part.strip() for part in parts) + "\n")
