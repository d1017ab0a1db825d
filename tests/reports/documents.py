"""Result documents made by hand: what the page is tested with where TensorFlow plays no part."""

from __future__ import annotations

from typing import Any

from gradcheck.report import Entry, ModeResult, Report
from gradcheck.verdicts import Verdict

MODES = ("eager", "graph", "dynamic", "xla")
VERSIONS = ("2.8.4", "2.9.3", "2.10.1", "2.15.1", "2.21.0")
BATCH = {
    "values": {"dtype": "float64", "shape": [1, 2, 1], "data": [0.5, "nan"]},
    "lengths": {"dtype": "int32", "shape": [1], "data": [1]},
    "padding": {"side": "post", "extra": 1, "fill": "nan"},
    "mask": [[True, False]],
}
CASE = {"schema": 1, "kind": "case", "name": "pool", "mode": "xla", "verdict": "MISMATCH"}
SCRIPT = "import tensorflow as tf\nprint('</script><b>', tf.__version__)\n"


def block(name: str, shape: list[int], start: int = 0) -> dict[str, Any]:
    axes = ["row", "time", "feature"][: len(shape)]
    size = 1
    for length in shape:
        size *= length
    return {
        "name": name,
        "shape": shape,
        "dtype": "float64",
        "axes": axes,
        "start": start,
        "size": size,
        "variable": False,
    }


def evidence(**changed: Any) -> dict[str, Any]:
    """Of a function of two steps, the second padding; the gradient is 3 where the slope is 2."""
    t = [k / 10 for k in range(-5, 6)]
    found: dict[str, Any] = {
        "inputs": [block("values", [1, 2, 1])],
        "outputs": [block("output", [1, 2])],
        "padded_inputs": [1],
        "padded_outputs": [1],
        "batch": BATCH,
        "changed": None,
        "jacobian": {
            "shape": [2, 2],
            "rows": [0, 1],
            "columns": [0, 1],
            "whole": True,
            "theoretical": [[3.0, 0.0], ["nan", -1.5]],
            "numerical": [[2.0, 0.0], [0.0, -1.0]],
            "bound": [[1e-9, 1e-9], [1e-9, "inf"]],
            "left": [[2.0, None], [None, None]],
            "right": [[2.0, None], [None, None]],
            "status": [["MISMATCH", "PASS"], ["NONFINITE", "MISMATCH"]],
            "none": [],
            "worst": [0, 0],
        },
        "slope": {
            "output": 0,
            "input": 0,
            "at": 0.5,
            "reach": 0.5,
            "t": t,
            "g": [1 + 2 * x for x in t],
            "theoretical": 3.0,
            "numerical": 2.0,
            "left": 2.0,
            "right": 2.0,
            "other": None,
            "twin": False,
        },
        "compared": None,
        "missing": [],
    }
    return {**found, **changed}


def larger(rows: int, columns: int) -> dict[str, Any]:
    """Evidence with a Jacobian of some size, every entry another; the last one wrong."""
    values = [[((7 * i + 3 * j) % 11 - 5) / 5 for j in range(columns)] for i in range(rows)]
    status = [["PASS"] * columns for _ in range(rows)]
    status[-1][-1] = "MISMATCH"
    wrong = [list(line) for line in values]
    wrong[-1][-1] += 1.0
    found = evidence(padded_inputs=[1], padded_outputs=[])
    found["inputs"], found["outputs"] = [block("values", [1, columns, 1])], [block("output", [1, rows])]
    blank: list[list[Any]] = [[None] * columns for _ in range(rows)]
    found["jacobian"] = {
        **found["jacobian"],
        "shape": [rows, columns],
        "rows": list(range(rows)),
        "columns": list(range(columns)),
        "theoretical": wrong,
        "numerical": values,
        "bound": [[1e-9] * columns for _ in range(rows)],
        "left": blank,
        "right": blank,
        "status": status,
        "worst": [rows - 1, columns - 1],
    }
    return found


ENTRY = Entry("output[row 0, time 0]", "values[row 0, time 0, feature 0]", 3.0, 2.0, 1e-9, 2.0, 2.0, (0, 0), (3.0, 2.0))
CAUSES = {
    Verdict.MISMATCH: "the gradient is 1.5 times the slope (2 of 4 entries)",
    Verdict.ERROR: "elements of different shapes, [0] and [1], cannot be stacked into one tensor",
    Verdict.UNSUPPORTED: "XLA cannot compile the operation RaggedRange",
    Verdict.UNRESOLVED: "the slope could not be measured well enough (1 of 4 entries)",
}


def document(subject: str, version: str, with_evidence: bool = True, **verdicts: str) -> dict[str, Any]:
    """A report of some modes, PASS where nothing is said; ``xla="UNSUPPORTED*"`` is expected."""
    modes = {}
    for mode in MODES:
        name = verdicts.get(mode, "PASS")
        verdict = Verdict[name.rstrip("*")]
        entry = ENTRY if verdict is Verdict.MISMATCH else None
        expected = (verdict,) if name.endswith("*") else ()
        modes[mode] = ModeResult(mode, verdict, CAUSES.get(verdict, ""), entry, expected=expected, resolution=1e-9)
    notable = [mode for mode, result in modes.items() if result.verdict is not Verdict.PASS]
    written = Report(
        subject=subject,
        modes=modes,
        arguments="Batch(values=np.array([[[0.5], [np.nan]]]), lengths=np.array([1], dtype=np.int32))",
        versions={"python": "3.10.13", "tensorflow": version, "keras": version, "numpy": "1.23.5"},
        scripts={mode: SCRIPT for mode in notable if modes[mode].verdict.fails},
        evidence={mode: evidence() for mode in notable} if with_evidence else {},
    ).to_dict()
    for mode in notable:
        written["modes"][mode]["case"] = CASE
    return written


def several() -> list[dict[str, Any]]:
    """Subjects on five versions: one broken and fixed, one that breaks, one right, one expected, one undecided."""
    documents = []
    for number, version in enumerate(VERSIONS):
        old = number < 3
        documents += [
            document("pooling.masked_mean", version, xla="MISMATCH" if old else "PASS"),
            document("recurrent.gru", version, xla="PASS" if old else "ERROR", graph="PASS" if old else "ERROR"),
            document("attention.dot", version),
            document("ranges.map_fn", version, xla="UNSUPPORTED*"),
            document("norm.layer", version, eager="UNRESOLVED" if number == 0 else "PASS"),
            document("<script>alert(1)</script>", version, dynamic="MISMATCH"),
        ]
    return documents


def changing() -> list[dict[str, Any]]:
    """Subjects on two versions, with every kind of change between them."""
    old, new = "2.8.4", "2.15.1"
    return [
        *(document("breaks", old), document("breaks", new, xla="MISMATCH")),
        *(document("fixed", old, graph="ERROR"), document("fixed", new)),
        *(document("loops/cut_rows", old, xla="CRASH"), document("loops/cut_rows", new, xla="MISMATCH")),
        document("loops/stacked", old, eager="ERROR", xla="UNSUPPORTED*"),
        document("loops/stacked", new, eager="ERROR", xla="DISCONNECTED"),
        document("new", new),
        *(document("vague", old), document("vague", new, eager="UNRESOLVED")),
    ]
