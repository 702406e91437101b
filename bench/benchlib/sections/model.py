"""What a model says about more cores than this machine has (bench/model)."""

import json
import pathlib
import sys

from benchlib.table import Column, Table

MODEL = pathlib.Path(__file__).resolve().parents[2] / "model"
sys.path.insert(0, str(MODEL))
import simulate  # noqa: E402

CHECK_NOTE = """The model against this run: what two processes make of one's throughput, predicted from the low, likely
and high ends of its inputs, and measured. Rows outside the range say that an input is wrong, or what the model leaves
out counts."""
NOTE = """Throughput of N cores as a multiple of one core's, by simulation (bench/model: from this run's times of single
operations, and the inputs' shares and ranges), in brackets the range; and what shared thing is busiest at 64 cores.
These are no measurements. `one lock` is the kernel whose lock all calls share, `own locks` one whose calls on
different objects share only what the host shares: one descriptor table, lists of tasks, a journal."""


def operation_times(inputs, kernel, scaling):
    """ns of one operation of one process, as measured; all kernels but native take the guest's."""
    side = "native" if kernel == "native" else "guest"
    rates = {row["name"]: row.get(f"{side}_1") for row in scaling.rows}
    return {name: 1e9 / rates[row] for name, row in inputs["rows"].items() if rates.get(row)}


def check(inputs, scaling):
    measured = {row["name"]: row for row in scaling.rows}
    rows = []
    for kernel, side in (("native", "native"), (inputs["guest"], "guest")):
        times = operation_times(inputs, kernel, scaling)
        for mix in times:
            name = inputs["rows"][mix]
            ends = [simulate.scaling(kernel, mix, times, inputs, 2, pick)[0]
                    for pick in (simulate.low, simulate.likely, simulate.high)]
            figure = measured[name].get(f"{side}_scaling_2")
            row = {"name": f"{kernel}: {name}", "low": min(ends), "likely": ends[1], "high": max(ends), "measured": figure}
            if figure is not None:
                row["fits"] = "yes" if min(ends) - 0.15 <= figure <= max(ends) + 0.15 else "no"
            rows.append(row)
    columns = [Column(key, key) for key in ("low", "likely", "high", "measured", "fits")]
    return Table("model_check", "The model's assumptions at two cores", columns, rows, CHECK_NOTE)


def predict(inputs, scaling):
    rows = []
    several = inputs["cores"][1:]
    for mix, weights in inputs["mixes"].items():
        for kernel in inputs["kernels"]:
            times = operation_times(inputs, kernel, scaling)
            if not set(weights) <= set(times):
                continue
            row = {"name": f"{mix}: {kernel}"}
            name = share = None
            for cores in several:
                ends = [simulate.scaling(kernel, mix, times, inputs, cores, pick)[0]
                        for pick in (simulate.low, simulate.likely, simulate.high)]
                _, name, share = simulate.scaling(kernel, mix, times, inputs, cores)
                row[f"cores_{cores}"] = f"{ends[1]:.1f} ({min(ends):.1f} to {max(ends):.1f})"
                if ends[1] < 0.8 * cores:
                    row.setdefault("knee", str(cores))
            row["bottleneck"] = f"{name}, {share:.0%} busy" if name else "none"
            rows.append(row)
    columns = [*(Column(f"cores_{cores}", f"{cores} cores") for cores in several), Column("knee", "below 0.8 a core from"),
               Column("bottleneck", "busiest at most cores")]
    return Table("model", "More cores, by a model", columns, rows, NOTE)


def measure(context):
    scaling = context.tables.get("scaling")
    if scaling is None:
        print("the model wants the figures of the section `scaling`", file=sys.stderr)
        return []
    inputs = json.loads((MODEL / "inputs.json").read_text())
    return [check(inputs, scaling), predict(inputs, scaling)]
