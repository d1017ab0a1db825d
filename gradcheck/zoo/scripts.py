"""The scripts that show each finding with plain TensorFlow, run on the TensorFlow that is here.

``python -m gradcheck.zoo.scripts FOLDER --json FILE`` runs every script of a folder in a worker process. A script
exits with 0 where the failure shows and with 1 where it does not; that it ends its process is a failure that shows.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcheck.errors import InputError
from gradcheck.isolation import Task, run_tasks
from gradcheck.records.results import SCHEMA_VERSION

if TYPE_CHECKING:
    from gradcheck.isolation.worker import Channel

__all__ = ["OUTCOMES", "main", "run_in_worker", "run_scripts"]

# By its own name: run with `python -m`, this module is called __main__, and a worker's is another.
_IN_WORKER = "gradcheck.zoo.scripts:run_in_worker"

OUTCOMES = ("shows", "does not show", "aborts", "cannot run")


def run_scripts(paths: Sequence[Path], workers: int | None = None) -> dict[str, dict[str, str]]:
    """What each script came to, by its stem: ``outcome``, one of `OUTCOMES`, and ``output``, what it printed."""
    tasks = [Task(_IN_WORKER, {"path": str(path.resolve())}, key=path.stem) for path in paths]
    found: dict[str, dict[str, str]] = {}
    with contextlib.closing(run_tasks(tasks, workers)) as outcomes:
        for done in outcomes:
            if done.death is not None:
                found[done.key] = {"outcome": "aborts", "output": str(done.death)}
            elif done.error:
                found[done.key] = {"outcome": "cannot run", "output": done.error.strip().splitlines()[-1]}
            else:
                found[done.key] = done.value
    return {path.stem: found[path.stem] for path in paths}


def run_in_worker(arguments: Mapping[str, Any], channel: Channel) -> dict[str, str]:
    """One script, in a worker process."""
    channel.begin({"mode": "", "code": arguments["path"]})
    printed = io.StringIO()
    status: Any = None
    with contextlib.redirect_stdout(printed):
        try:
            runpy.run_path(arguments["path"], run_name="__main__")
        except SystemExit as leaving:
            status = leaving.code
    if status not in (0, 1):
        raise InputError(f"{arguments['path']} must exit with 0 (it shows) or 1 (it does not); it did with {status!r}")
    return {"outcome": OUTCOMES[status], "output": printed.getvalue().strip()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scripts of a folder; 0 whatever they show, 2 where one of them is none."""
    parser = argparse.ArgumentParser(prog="python -m gradcheck.zoo.scripts", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of scripts")
    parser.add_argument("--workers", type=int, help="worker processes (default: one for each processor)")
    parser.add_argument("--json", type=Path, help="write what they show to this file")
    options = parser.parse_args(arguments)
    paths = sorted(options.folder.glob("*.py"))
    if not paths:
        parser.error(f"there is no script in {options.folder}")
    from gradcheck._tensorflow import versions

    found = run_scripts(paths, options.workers)
    for name, result in found.items():
        print(f"{name}: {result['outcome']}")
    if options.json is not None:
        document = {"schema": SCHEMA_VERSION, "kind": "scripts", "versions": versions(), "scripts": found}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
