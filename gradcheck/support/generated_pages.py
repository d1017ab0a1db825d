"""Pages that are generated and committed: written anew, or compared with what they should be."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from gradcheck.errors import InputError

__all__ = ["page_command"]


def page_command(
    arguments: Sequence[str] | None,
    *,
    module: str,
    doc: str | None,
    page: Path,
    why: str,
    render: Callable[[Path], str],
    measurements: Path | None = None,
    keep: Callable[[Path, Path], Path] | None = None,
) -> int:
    """``python -m MODULE --check`` and ``--write``, the same for each generated page.

    Args:
        arguments: what follows the module's name; `sys.argv` where omitted.
        module: its name, for messages.
        doc: its docstring, for ``--help``.
        page: the page that is committed.
        why: what has changed where the page is stale, in words.
        render: the text of the page, given the folder of measurements (where the page is made from any).
        measurements: that folder.
        keep: takes a file of results into the folder and names the file that it wrote there.

    Returns:
        An exit status: 0, 1 where the page is stale, 2 where it cannot be made.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=doc)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="fail where the page is not up to date")
    what.add_argument("--write", action="store_true", help="write the page")
    parser.add_argument("--page", type=Path, default=page, help="the page (default: %(default)s)")
    parser.set_defaults(measurements=page.parent, results=[])
    if measurements is not None:
        parser.add_argument("--measurements", type=Path, default=measurements, help="folder (default: %(default)s)")
    if keep is not None:
        parser.add_argument("results", type=Path, nargs="*", help="with --write: files of results to take in first")
    options = parser.parse_args(arguments)
    if options.check and options.results:
        parser.error("results are taken in by --write, not by --check")
    try:
        if keep is not None:
            for path in options.results:
                print(f"{keep(path, options.measurements)} written")
        text = render(options.measurements)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.write:
        options.page.write_text(text, encoding="utf-8")
        print(f"{options.page} written")
        return 0
    if not options.page.is_file() or options.page.read_text(encoding="utf-8") != text:
        print(
            f"{options.page} is stale: {why} since it was written. Write it anew with `python -m {module} --write`.",
            file=sys.stderr,
        )
        return 1
    print(f"{options.page} is up to date")
    return 0
