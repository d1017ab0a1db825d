"""The plot beside the table: times faster than compute_gradient, and cost against size."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from measuring import Row

_COLORS = {"eager": "#777777", "graph": "#1f77b4", "dynamic": "#17a589", "xla": "#d35400"}


def plot(rows: list[Row], path: Path) -> None:
    """Write the plot; panels without rows are left empty, and say so."""
    plt.rcParams["svg.hashsalt"] = "gradcheck"
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5), constrained_layout=True)
    _ratios(left, [row for row in rows if row.part == "a" and row.what == "engine, same numbers"])
    _sizes(right, [row for row in rows if row.part == "d" and row.median is not None])
    figure.savefig(path, metadata={"Date": None})


def _ratios(axes: plt.Axes, rows: list[Row]) -> None:
    axes.set_title("One point, both Jacobians, equal numbers:\ntimes faster than tf.test.compute_gradient")
    if not rows:
        axes.text(0.5, 0.5, "part (a) was not run", ha="center", transform=axes.transAxes)
        return
    subjects = list(dict.fromkeys(row.subject for row in rows))
    for number, (mode, color) in enumerate(_COLORS.items()):
        chosen = {row.subject: row.ratio for row in rows if row.mode == mode}
        places = np.arange(len(subjects)) + 0.2 * (number - 1.5)
        heights = [chosen.get(subject) or np.nan for subject in subjects]
        bars = axes.barh(places, heights, height=0.18, color=color, label=mode)
        axes.bar_label(bars, [f" {height:.0f}" for height in heights], fontsize=7)
    axes.set_yticks(np.arange(len(subjects)), [re.sub(r"_", " ", subject) for subject in subjects], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(left=1)
    axes.legend(fontsize=8)


def _sizes(axes: plt.Axes, rows: list[Row]) -> None:
    axes.set_title("One check, warm, against the number of inputs")
    if not rows:
        axes.text(0.5, 0.5, "part (d) was not run", ha="center", transform=axes.transAxes)
        return
    for what in dict.fromkeys(row.what for row in rows):
        chosen = [row for row in rows if row.what == what]
        sizes = [int(row.subject.split()[0]) for row in chosen]
        style = "o-" if what.startswith("gradcheck") else "s--"
        axes.plot(sizes, [row.median for row in chosen], style, label=what, markersize=4)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("inputs")
    axes.set_ylabel("seconds")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
