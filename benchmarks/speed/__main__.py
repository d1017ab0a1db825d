"""How fast the checker is, against what one would use in its place: one table, all of it from one run.

    nox -s bench                       everything, half an hour on two quiet cores
    nox -s bench -- --quick            a smoke run of each part, a few minutes
    nox -s bench -- --only a e         some parts

Parts: (a) one point against `tf.test.compute_gradient`; (b) a cold search against the loop one would write; (c) torch
and jax on the same functions; (d) cost against size; (e) compilations of a search; (f) start-up of pytest. Contestants
take turns; times are medians, with the quickest and the slowest run beside them. *Peak* is resident memory: of the
whole process in b, e and f, and over what was resident before the call elsewhere.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measuring import Row

PARTS = {"a": "points", "b": "searches", "c": "peers", "d": "sizes", "e": "compilations", "f": "startup"}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks/speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few subjects, few runs: shows that it works, no more")
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), default=sorted(PARTS), metavar="PART")
    parser.add_argument("--subjects", nargs="+", help="of (a); all of them where omitted")
    parser.add_argument("--repeats", type=int, default=3, help="of a search in (b)")
    parser.add_argument("--examples", type=int, default=100, help="of a search in (b)")
    parser.add_argument("--naive-examples", type=int, help="of the naive loop in (b), scaled; as many where omitted")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder for speed.json, .md and .svg")
    arguments = parser.parse_args()
    started = time.perf_counter()
    rows: list[Row] = []
    for part in sorted(set(arguments.only)):
        module = importlib.import_module(PARTS[part])
        print(f"({part}) {(module.__doc__ or '').splitlines()[0].partition(') ')[2]}", file=sys.stderr, flush=True)
        options: dict[str, Any] = {"quick": arguments.quick}
        if part == "b":
            options |= {"examples": arguments.examples, "naive_examples": arguments.naive_examples}
            options["repeats"] = arguments.repeats
        if part == "a":
            options["subjects"] = arguments.subjects
        rows += module.rows(**options)
        # After each part, so that the hour before it is not lost with a part that fails.
        circumstances = _circumstances(arguments, time.perf_counter() - started)
        text = table(rows, circumstances)
        arguments.out.mkdir(parents=True, exist_ok=True)
        document = {"schema": 1, "kind": "speed", **circumstances, "rows": [row.to_dict() for row in rows]}
        (arguments.out / "speed.json").write_text(json.dumps(document, indent=1) + "\n")
        (arguments.out / "speed.md").write_text(text)
    print(text)
    written = ["speed.json", "speed.md"]
    try:
        import matplotlib
    except ImportError as error:
        print(f"no plot: {error}", file=sys.stderr)
    else:
        matplotlib.use("Agg")
        from plotting import plot

        plot(rows, arguments.out / "speed.svg")
        written.append("speed.svg")
    print(f"written to {arguments.out}: {', '.join(written)}", file=sys.stderr)
    return 0


def _circumstances(arguments: argparse.Namespace, seconds: float) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("tensorflow-cpu", "tensorflow", "torch", "jax", "numpy", "hypothesis"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "command": "python benchmarks/speed " + " ".join(sys.argv[1:]),
        "quick": arguments.quick,
        "seconds": seconds,
        "versions": {"python": platform.python_version(), **found},
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def table(rows: list[Row], circumstances: dict[str, Any]) -> str:
    """The table in Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in circumstances["versions"].items())
    lines = [
        f"`{circumstances['command'].strip()}`: {versions}; {circumstances['cores']} cores, load "
        f"{circumstances['load']:.1f} at the end, {circumstances['seconds']:.0f} s in all.",
        "",
        "| | subject | mode | who | median | from … to | runs | times faster | peak MiB | |",
        "|---|---|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        spread = f"{_time(min(row.seconds))} … {_time(max(row.seconds))}" if len(row.seconds) > 1 else ""
        cells = [
            row.part, row.subject, row.mode, row.what, _time(row.median), spread, str(len(row.seconds) or ""),
            "" if row.ratio is None else f"{row.ratio:.3g}×",
            "" if row.peak_mib is None else f"{row.peak_mib:.0f}", row.note,
        ]  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


if __name__ == "__main__":
    raise SystemExit(main())
