"""``gradcheck sweep``: many subjects, modes, dtypes, TensorFlow versions and seeds, here or on a cluster."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.cli.common import Amount, json_option, modes_option, parse_expect, remark, say, write_json
from gradcheck.cli.drawing import drawing_options, strategy_of, wrt_option
from gradcheck.cli.exits import FOUND, INTERRUPTED, OK
from gradcheck.errors import InputError, shown

if TYPE_CHECKING:
    from gradcheck.isolation import Limits
    from gradcheck.sweep.run import SweepResult

__all__ = ["sweep"]

_FLOAT_DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")


# Each is a search of its own, of every subject in every mode.
_MOST_SEEDS = 100_000


def _convert_seeds(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    """``"8"`` is seeds 0 to 7, ``"8:12"`` 8 to 11, ``"3,5,8"`` those."""
    if not re.fullmatch(r"[0-9]{1,18}(:[0-9]{1,18}|(,[0-9]{1,18})+)?", value):
        raise click.BadParameter(
            f"{shown(value, 60)} is none of N (seeds 0 to N-1), A:B (A to B-1) and A,B,C (those), "
            "each of 18 digits at most",
            ctx,
            param,
        )
    if "," in value:
        return tuple(dict.fromkeys(int(number) for number in value.split(",")))
    first, _, end = value.rpartition(":")
    seeds = range(int(first or 0), int(end))
    if not seeds:
        raise click.BadParameter(f"{value!r} leaves no seed", ctx, param)
    if len(seeds) > _MOST_SEEDS:
        raise click.BadParameter(
            f"{value!r} is {len(seeds)} seeds; {_MOST_SEEDS} are the most. Make several sweeps: 0:{_MOST_SEEDS}, then "
            f"{_MOST_SEEDS}:{2 * _MOST_SEEDS}",
            ctx,
            param,
        )
    return tuple(seeds)


def _convert_dtypes(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in (value or "").split(",") if name.strip()))
    for name in names:
        if name not in _FLOAT_DTYPES:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(_FLOAT_DTYPES)}", ctx, param)
    return names


@click.command(short_help="Many subjects, modes, dtypes and TensorFlow versions.")
@click.argument("subjects", metavar="SUBJECT...", nargs=-1, required=True)
@modes_option
@click.option("--examples", type=click.IntRange(min=1), default=100, show_default=True, help="Batches for each search.")
@click.option(
    "--seeds",
    callback=_convert_seeds,
    default="1",
    show_default=True,
    help="Seeds to search from: N for 0 to N-1, A:B for A to B-1, or A,B,C.",
)
@click.option("--dtypes", callback=_convert_dtypes, help="Dtypes of the values, separated by commas.  [float64]")
@wrt_option
@click.option("--expect", multiple=True, metavar="MODE=VERDICT", help="A verdict that is right for a mode; repeatable.")
@drawing_options("features", "max_batch", "max_length", "poison")
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="Processes on this machine, shared out among the interpreters; each gets one at least.  [one a processor]",
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="PATH",
    help="Run here under this interpreter, with the TensorFlow that it has; repeatable.  [this one]",
)
@click.option("--scheduler", metavar="ADDRESS", help="Run on a Dask cluster instead: tcp://host:8786.")
@click.option("--versions", help="With --scheduler: TensorFlow versions, such as tf28,tf221.  [all that workers offer]")
@click.option(
    "--store",
    default="gradcheck-sweeps.db",
    show_default=True,
    help="Where results are kept: a SQLite file, or postgresql://user@host/database.",
)
@click.option(
    "--database",
    default=".hypothesis/examples",
    show_default=True,
    help="Where Hypothesis shares failing examples: a folder, or redis://host:port/0.",
)
@click.option("--fresh", is_flag=True, help="Begin anew where a sweep of the same plan was not finished.")
@click.option(
    "--batch-seconds",
    type=Amount(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="A batch that takes longer hangs.",
)
@click.option("--memory", type=Amount(min=0.0625), metavar="GIB", help="Most memory of a worker.  [its share of 80 %]")
@click.option("-q", "--quiet", is_flag=True, help="No progress view, and nothing printed where nothing failed.")
@json_option
def sweep(subjects: tuple[str, ...], json_file: Path | None, quiet: bool, **options: Any) -> None:
    """Search each SUBJECT in each mode, dtype and TensorFlow version, from each seed.

    SUBJECT is as for `gradcheck search`. Searches run in isolated processes: one that aborts, hangs or eats the memory
    is a CRASH. Results are kept as they come; the same command goes on where an interrupted one stopped. Show them
    again with `gradcheck report STORE`.
    """
    from gradcheck.isolation import Limits
    from gradcheck.sweep.store import Store

    memory = None if options["memory"] is None else int(options["memory"] * 2**30)
    limits = Limits(batch_seconds=options["batch_seconds"], memory=memory)
    with Store(options["store"]) as store:
        result = _run(subjects, options, store, limits, quiet)
        if not (quiet and result.ok):
            say(_text(result, store.shown), json_file)
    write_json(json_file, dict(result.document))
    if result.interrupted:
        remark("interrupted; the same command goes on from here")
        sys.exit(INTERRUPTED)
    if result.errors:
        raise InputError(_errors_text(result))
    sys.exit(OK if result.ok else FOUND)


def _run(subjects: tuple[str, ...], options: dict[str, Any], store: Any, limits: Limits, quiet: bool) -> SweepResult:
    from gradcheck.sweep import run
    from gradcheck.sweep.cluster import Cluster
    from gradcheck.sweep.local import interpreters, workers_for
    from gradcheck.sweep.plan import plan_units

    for name in ("workers", "pythons"):
        if options["scheduler"] and options[name]:
            flag = {"workers": "--workers", "pythons": "--python"}[name]
            raise InputError(f"{flag} is about this machine, and --scheduler {options['scheduler']} was given")
    if options["versions"] and not options["scheduler"]:
        raise InputError("--versions chooses among the workers of a cluster; here use --python, once for each version")
    with contextlib.ExitStack() as stack:
        cluster, pythons = None, None
        if options["scheduler"]:
            cluster = stack.enter_context(Cluster(options["scheduler"]))
            wanted = [name.strip() for name in (options["versions"] or "").split(",") if name.strip()]
            workers = cluster.versions(wanted)
        else:
            pythons = interpreters(options["pythons"])
            workers = workers_for(list(pythons), options["workers"])
        expect = {mode: [v.value for v in verdicts] for mode, verdicts in parse_expect(options["expect"]).items()}
        strategy = strategy_of(options)
        units = plan_units(
            [_absolute(subject) for subject in subjects],
            versions=list(workers),
            modes=options["modes"],
            seeds=options["seeds"],
            max_examples=options["examples"],
            dtypes=options["dtypes"],
            strategy=_absolute(strategy) if isinstance(strategy, str) else strategy,
            expect=expect,
            options={"wrt": options["wrt"]},
            database=_database(options["database"]),
        )

        def on_begin(sweep: str, done: int) -> None:
            if quiet:
                return
            count = sum(workers.values())
            on = f"on {count} worker{'s' * (count != 1)}"
            if options["workers"] and count > options["workers"]:
                on += ", one for each interpreter"
            before = f"; {done} are done from before, --fresh begins anew" if done else ""
            remark(f"{len(units)} searches under {', '.join(workers)} {on}{before}")

        return run.sweep(
            units,
            store,
            workers=workers,
            pythons=pythons,
            cluster=cluster,
            limits=limits,
            fresh=options["fresh"],
            quiet=quiet,
            heading=f"Dask's dashboard: {cluster.dashboard}" if cluster is not None and cluster.dashboard else "",
            settings={"subjects": list(subjects), **{k: options[k] for k in ("modes", "seeds", "examples", "dtypes")}},
            on_begin=on_begin,
        )


def _absolute(subject: str) -> str:
    """A subject in a file by its whole path: workers may have been started elsewhere."""
    where, separator, name = subject.rpartition(":")
    return f"{Path(where).resolve()}{separator}{name}" if where.endswith(".py") else subject


def _database(place: str) -> str:
    return place if "://" in place else str(Path(place).resolve())


def _text(result: SweepResult, place: str) -> str:
    from gradcheck.cli.report import text_of
    from gradcheck.results.reading import results_of

    units = result.document["units"]
    lines = [text_of(results_of(result.document)), ""]
    lines.append(f"{units['done']} of {units['total']} searches done; kept in {place}")
    lines.append(f"  again, or as a page: gradcheck report {place} --html report.html")
    return "\n".join(lines)


def _errors_text(result: SweepResult) -> str:
    shown = [
        f"{count} search{'es' * (count != 1)}: {error.strip().splitlines()[-1]}"
        for error, count in result.errors.items()
    ]
    return "some could not be searched:\n  " + "\n  ".join(shown)
