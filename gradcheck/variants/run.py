"""Running the variants: every one in every mode, each verdict compared with what is expected of it.

What ``gradcheck variants`` and ``nox -s tf28`` call.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gradcheck.errors import InputError
from gradcheck.report import SCHEMA_VERSION, Entry, ModeResult
from gradcheck.variants.catalog import Variant, catalog
from gradcheck.variants.claims import ClaimResult, measure_claims
from gradcheck.variants.expectations import Expectation, expected
from gradcheck.variants.jobs import Answer, Job, run_jobs
from gradcheck.verdicts import Verdict

__all__ = ["DEFAULT_EXAMPLES", "VariantCell", "VariantsResult", "run_variants"]

# Enough for every failure among the variants (the rarest needs two rows of different length); a hundred
# and more are for looking for planted errors.
DEFAULT_EXAMPLES = 12
# XLA compiles these anew for every vector of lengths (see their expectation), about a second each.
_SLOW_TO_COMPILE = ("scatter_range", "scatter_rows")
_SLOW_EXAMPLES = 6


@dataclass(frozen=True)
class VariantCell:
    """One variant in one mode.

    Attributes:
        variant: which.
        result: what the search came to; its ``expected`` holds the expected verdict.
        reason: why that verdict is expected, in one sentence.
        counterexample: the smallest failing batch as code, empty where nothing failed.
        script: a script that shows the failure with plain TensorFlow, empty where nothing failed.
    """

    variant: Variant
    result: ModeResult
    reason: str
    counterexample: str = ""
    script: str = field(default="", repr=False)

    @property
    def ok(self) -> bool:
        """Whether the verdict is the expected one, no better and no worse."""
        return self.result.verdict in self.result.expected

    def __str__(self) -> str:
        wanted = " or ".join(verdict.value for verdict in self.result.expected)
        text = f"{self.variant.name} in mode {self.result.mode}: {self.result.verdict.value}, expected {wanted}"
        if self.result.cause:
            text += f"\n    {self.result.cause}"
        if self.counterexample:
            text += f"\n    smallest batch: {self.counterexample}"
        return f"{text}\n    expected because: {self.reason}"


@dataclass(frozen=True)
class VariantsResult:
    """All that a run of the variants found.

    Attributes:
        cells: one for each variant and mode, in the order of the catalog.
        claims: the claims with what was measured; empty where they were not asked for.
        versions: versions of ``python``, ``tensorflow``, ``keras`` and ``numpy``.
        max_examples: batches tried on each variant.
        seconds: wall-clock time of the whole run.
        interrupted: whether it was stopped before the last variant.
    """

    cells: tuple[VariantCell, ...]
    claims: tuple[ClaimResult, ...]
    versions: Mapping[str, str]
    max_examples: int
    seconds: float
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether every verdict is the expected one."""
        return not self.deviations

    @property
    def deviations(self) -> tuple[VariantCell, ...]:
        """The cells whose verdict is not the expected one, unexpected passes included."""
        return tuple(cell for cell in self.cells if not cell.ok)

    def rows(self) -> dict[str, dict[str, ModeResult]]:
        """Results by variant's name and mode, as `gradcheck.rendering.render_matrix` takes them."""
        table: dict[str, dict[str, ModeResult]] = {}
        for cell in self.cells:
            table.setdefault(cell.variant.name, {})[cell.result.mode] = cell.result
        return table

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form, which `gradcheck.results.rows_of` reads; ``schema`` as in `Report.to_dict`."""
        by_variant: dict[str, list[VariantCell]] = {}
        for cell in self.cells:
            by_variant.setdefault(cell.variant.name, []).append(cell)
        return {
            "schema": SCHEMA_VERSION,
            "kind": "variants",
            "ok": self.ok,
            "versions": dict(self.versions),
            "max_examples": self.max_examples,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "results": [
                {
                    "subject": name,
                    "family": cells[0].variant.family,
                    "doc": cells[0].variant.doc,
                    "ok": all(cell.ok for cell in cells),
                    "modes": {
                        cell.result.mode: {
                            **cell.result.to_dict(),
                            "ok": cell.ok,
                            "reason": cell.reason,
                            "arguments": cell.counterexample,
                        }
                        for cell in cells
                    },
                    "arguments": next((c.counterexample for c in cells if not c.ok), ""),
                }
                for name, cells in by_variant.items()
            ],
            "claims": [claim.to_dict() for claim in self.claims],
        }

    def __str__(self) -> str:
        from gradcheck.rendering import render_matrix

        parts = [render_matrix(self.rows())]
        parts += [str(cell) for cell in self.deviations]
        parts.append(self.summary())
        parts += [str(claim) for claim in self.claims]
        return "\n\n".join(part for part in parts if part)

    def summary(self) -> str:
        """How it ended, in one line."""
        version = self.versions.get("tensorflow", "")
        ending = f" on TensorFlow {version}, {self.seconds:.0f} s" + (", interrupted" if self.interrupted else "")
        if self.ok:
            return f"all {len(self.cells)} verdicts as expected{ending}"
        return f"{len(self.deviations)} of {len(self.cells)} verdicts not as expected{ending}"


def run_variants(
    *,
    modes: Sequence[str] | None = None,
    max_examples: int | None = None,
    only: Iterable[str] = (),
    seed: int = 0,
    claims: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
    workers: int | None = None,
) -> VariantsResult:
    """Search every variant in every mode, compare with the expected verdicts, and measure the claims.

    Args:
        modes: modes to run; all four where None.
        max_examples: batches to try on each variant; `DEFAULT_EXAMPLES` where None. Variants that XLA
            compiles anew for each vector of lengths get fewer in that mode, unless the number is given.
        only: only variants with one of these texts in their name.
        seed: seed of the search, so that two runs try the same batches.
        claims: whether to measure the claims too.
        progress: called with the name of what was last finished, how many are done, and how many there are.
        workers: worker processes; as many as there are processors, and 4 at most, where None. A variant that
            kills its process is a ``CRASH``, and the rest goes on.

    A KeyboardInterrupt ends the run and keeps what was found; ``interrupted`` is then True.

    Raises:
        InputError: for an unknown mode, or where no variant matches ``only``.
        MissingTensorFlowError: where TensorFlow is not installed.
        RuntimeError: where the harness itself fails on a variant, with its traceback.
    """
    from gradcheck import MODES
    from gradcheck._tensorflow import versions

    modes = tuple(MODES if modes is None else modes)
    for mode in modes:
        if mode not in MODES:
            raise InputError(f"unknown mode {mode!r}; the modes are {', '.join(MODES)}")
    texts = tuple(only)
    chosen = [variant for variant in catalog() if not texts or any(text in variant.name for text in texts)]
    if not chosen:
        raise InputError(
            f"no variant has {' or '.join(map(repr, texts))} in its name; a name looks like "
            f"{catalog()[0].name!r}, and `gradcheck variants` without --only runs them all"
        )
    installed = versions()
    started = time.perf_counter()
    run = _Run({variant.name: variant for variant in chosen}, installed["tensorflow"], progress)
    jobs = [job for variant in chosen for job in _jobs(variant, modes, max_examples, seed, run.version)]
    workers = min(os.cpu_count() or 1, 4) if workers is None else workers
    measured: tuple[ClaimResult, ...] = ()
    interrupted = False
    try:
        again = run.take(jobs, workers)
        if again:  # a crash says nothing about the other modes of its job
            run.take(again, workers)
        if claims:
            run.report("the claims")
            measured = measure_claims()
    except KeyboardInterrupt:
        interrupted = True
    wanted = [(variant.name, mode) for variant in chosen for mode in modes]
    cells = [run.cells[key] for key in wanted if key in run.cells]
    seconds = time.perf_counter() - started
    return VariantsResult(tuple(cells), measured, installed, max_examples or DEFAULT_EXAMPLES, seconds, interrupted)


def _jobs(variant: Variant, modes: tuple[str, ...], max_examples: int | None, seed: int, version: str) -> Iterator[Job]:
    """The searches that a variant takes: one for all modes, less those that must stand apart."""

    def job(modes: tuple[str, ...], examples: int) -> Job:
        rules = {mode: _rule(variant, mode, version) for mode in modes}
        expect = {mode: [verdict.value for verdict in rule.verdicts] for mode, rule in rules.items()}
        return Job(variant.name, modes, examples, seed, expect)

    # A mode that is known to kill its process gets one of its own, or the others would have to be run again.
    deadly = [m for m in modes if Verdict.CRASH in _rule(variant, m, version).verdicts]
    # A number that was asked for is kept to.
    slow = [m for m in modes if m == "xla" and variant.construct.name in _SLOW_TO_COMPILE and max_examples is None]
    apart = [*deadly, *slow]
    if together := tuple(mode for mode in modes if mode not in apart):
        yield job(together, max_examples or DEFAULT_EXAMPLES)
    for mode in apart:
        yield job((mode,), _SLOW_EXAMPLES if mode in slow else max_examples or DEFAULT_EXAMPLES)


def _rule(variant: Variant, mode: str, version: str) -> Expectation:
    return expected(variant.construct.name, mode, version, variant.consumer)


class _Run:
    """A run in progress: which cells are there already."""

    def __init__(
        self, variants: Mapping[str, Variant], version: str, progress: Callable[[str, int, int], None] | None
    ) -> None:
        self.variants, self.version = variants, version
        self.cells: dict[tuple[str, str], VariantCell] = {}
        self._progress = progress

    def report(self, name: str) -> None:
        if self._progress is not None:
            self._progress(name, len({variant for variant, _ in self.cells}), len(self.variants))

    def take(self, jobs: Sequence[Job], workers: int) -> list[Job]:
        """Run jobs; the ones to run again, mode by mode, because one of several modes killed its process."""
        again = []
        self.report("starting TensorFlow")
        with contextlib.closing(run_jobs(jobs, workers)) as answers:
            for answer in answers:
                job = answer.job
                if answer.error:
                    raise RuntimeError(f"gradcheck failed on the variant {job.variant}:\n{answer.error}")
                if answer.modes is None and len(job.modes) > 1:
                    again += [replace(job, modes=(mode,), expect={mode: job.expect[mode]}) for mode in job.modes]
                    continue
                for mode in job.modes:
                    self.cells[job.variant, mode] = self._cell(answer, mode)
                self.report(job.variant)
        return again

    def _cell(self, answer: Answer, mode: str) -> VariantCell:
        variant = self.variants[answer.job.variant]
        reason = _rule(variant, mode, self.version).reason
        wanted = tuple(Verdict[name] for name in answer.job.expect[mode])
        if answer.modes is None:
            cause = f"{answer.death} on this batch" if answer.drawn else answer.death
            return VariantCell(variant, ModeResult(mode, Verdict.CRASH, cause, expected=wanted), reason, answer.drawn)
        found = answer.modes[mode]
        result = _mode_result(mode, found["result"], wanted)
        return VariantCell(variant, result, reason, found["counterexample"], found["script"])


def _mode_result(mode: str, data: Mapping[str, Any], wanted: tuple[Verdict, ...]) -> ModeResult:
    """Inverse of `ModeResult.to_dict`."""
    entry = data["entry"]
    if entry is not None:
        numbers = ("theoretical", "numerical", "bound", "left", "right")
        entry = Entry(
            entry["output"],
            entry["input"],
            **{key: None if entry[key] is None else float(entry[key]) for key in numbers},
            index=None if entry["index"] is None else (int(entry["index"][0]), int(entry["index"][1])),
            reference=None
            if entry["reference"] is None
            else (float(entry["reference"][0]), float(entry["reference"][1])),
        )
    return ModeResult(
        mode,
        Verdict[data["verdict"]],
        data["cause"],
        entry,
        data["detail"],
        data["changed"],
        None if data["resolution"] is None else float(data["resolution"]),
        data["engine"],
        tuple(data["notes"]),
        wanted,
        data["seconds"],
    )
