"""Running the variants: every one in every mode, each verdict compared with what is expected of it.

What ``gradcheck variants`` and ``nox -s tf28`` call.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradcheck.errors import InputError
from gradcheck.isolation import Journal
from gradcheck.isolation.searches import SearchOutcome, SearchTask, run_searches
from gradcheck.mode_names import parse_modes
from gradcheck.records.results import ModeResult
from gradcheck.results.collection import BundledResult
from gradcheck.variants.catalog import Variant, catalog
from gradcheck.variants.claims import ClaimResult, measure_claims
from gradcheck.variants.expectations import Expectation, expected
from gradcheck.verdicts import Verdict

__all__ = ["DEFAULT_EXAMPLES", "VariantCell", "VariantsResult", "run_variants"]

# Enough for every failure among the variants (the rarest needs two rows of different length); a hundred
# and more are for looking for planted errors.
DEFAULT_EXAMPLES = 12
# XLA compiles these anew for every vector of lengths (see their expectation), about a second each.
_SLOW_TO_COMPILE = ("scatter_range", "scatter_rows")
_SLOW_EXAMPLES = 6
# Few and small shapes: the constructs fail, where they fail, on two rows, and each shape costs a compilation.
_STRATEGY = {"features": 2, "max_batch": 3, "max_length": 4, "sides": ["post"]}


@dataclass(frozen=True)
class VariantCell:
    """One variant in one mode.

    Attributes:
        variant: which.
        result: what the search came to; its ``expected`` holds the expected verdict.
        reason: why that verdict is expected, in one sentence.
        counterexample: the smallest failing batch as code, empty where nothing failed.
        script: a script that shows the failure with plain TensorFlow, empty where nothing failed.
        evidence: what the pictures of the failure are made from; None where nothing failed.
    """

    variant: Variant
    result: ModeResult
    reason: str
    counterexample: str = ""
    script: str = field(default="", repr=False)
    evidence: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The variant's name."""
        return self.variant.name

    @property
    def judged(self) -> ModeResult:
        """The result as reports show it."""
        return self.result

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


@dataclass(frozen=True, kw_only=True)
class VariantsResult(BundledResult[VariantCell]):
    """All that a run of the variants found. A verdict is as it should be where it is the expected one: an unexpected
    pass is not.

    Attributes:
        claims: the claims with what was measured; empty where they were not asked for.
    """

    claims: tuple[ClaimResult, ...] = ()
    _kind = "variants"

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form, as of every `BundledResult`, and the claims."""
        return {**super().to_dict(), "claims": [claim.to_dict() for claim in self.claims]}

    def _row(self, cells: Sequence[VariantCell]) -> dict[str, Any]:
        variant = cells[0].variant
        return {
            "subject": variant.name,
            "family": variant.family,
            "doc": variant.doc,
            "ok": all(cell.ok for cell in cells),
            "modes": {cell.result.mode: _mode_document(cell) for cell in cells},
            "arguments": next((cell.counterexample for cell in cells if not cell.ok), ""),
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
        ending = f" on TensorFlow {version}{self._ending()}"
        if self.ok:
            every = f"all {len(self.cells)} verdicts" if len(self.cells) > 1 else "the verdict is"
            return f"{every} as expected{ending}"
        return f"{len(self.deviations)} of {len(self.cells)} verdicts not as expected{ending}"


def _mode_document(cell: VariantCell) -> dict[str, Any]:
    return {
        **cell.result.to_dict(),
        "ok": cell.ok,
        "reason": cell.reason,
        "arguments": cell.counterexample,
        "script": cell.script,
        "evidence": None if cell.evidence is None else dict(cell.evidence),
    }


def run_variants(
    *,
    modes: Sequence[str] | None = None,
    max_examples: int | None = None,
    only: Iterable[str] = (),
    seed: int = 0,
    claims: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
    workers: int | None = None,
    journal: Path | None = None,
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
        journal: a file in which each finished search is kept. A run with the journal of one that was killed goes on
            where that was, if gradcheck and the versions are still the same.

    A KeyboardInterrupt ends the run and keeps what was found; ``interrupted`` is then True.

    Raises:
        InputError: for an unknown mode, where no variant matches ``only``, or where the journal is in use or is none.
        MissingTensorFlowError: where TensorFlow is not installed.
        RuntimeError: where the harness itself fails on a variant, with its traceback.
    """
    from gradcheck._tensorflow import versions

    modes = parse_modes(modes)
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
    tasks = [task for variant in chosen for task in _tasks(variant, modes, max_examples, seed, run.version)]
    workers = min(os.cpu_count() or 1, 4) if workers is None else workers
    measured: tuple[ClaimResult, ...] = ()
    interrupted = False
    with contextlib.ExitStack() as stack:
        kept = None if journal is None else stack.enter_context(Journal(journal))
        resumed = 0 if kept is None else sum(task.key in kept for task in tasks)
        try:
            run.take(tasks, workers, kept)
            if claims:
                run.report("the claims")
                measured = measure_claims()
        except KeyboardInterrupt:
            interrupted = True
    wanted = [(variant.name, mode) for variant in chosen for mode in modes]
    cells = [run.cells[key] for key in wanted if key in run.cells]
    return VariantsResult(
        cells=tuple(cells),
        claims=measured,
        versions=installed,
        max_examples=max_examples or DEFAULT_EXAMPLES,
        seconds=time.perf_counter() - started,
        interrupted=interrupted,
        missing=tuple(key for key in wanted if key not in run.cells),
        resumed=resumed,
    )


def _tasks(
    variant: Variant, modes: tuple[str, ...], max_examples: int | None, seed: int, version: str
) -> Iterator[SearchTask]:
    """The searches that a variant takes: one for all modes, less those that must stand apart."""

    def task(modes: tuple[str, ...], examples: int) -> SearchTask:
        rules = {mode: _rule(variant, mode, version) for mode in modes}
        expect = {mode: tuple(verdict.value for verdict in rule.verdicts) for mode, rule in rules.items()}
        return SearchTask(variant.path, _STRATEGY, modes, examples, seed, expect, name=variant.name)

    # A mode that is known to kill its process gets one of its own, or the others would have to be run again.
    deadly = [m for m in modes if Verdict.CRASH in _rule(variant, m, version).verdicts]
    # A number that was asked for is kept to.
    slow = [m for m in modes if m == "xla" and variant.construct.name in _SLOW_TO_COMPILE and max_examples is None]
    apart = [*deadly, *slow]
    if together := tuple(mode for mode in modes if mode not in apart):
        yield task(together, max_examples or DEFAULT_EXAMPLES)
    for mode in apart:
        yield task((mode,), _SLOW_EXAMPLES if mode in slow else max_examples or DEFAULT_EXAMPLES)


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

    def take(self, tasks: Sequence[SearchTask], workers: int, journal: Journal | None) -> None:
        """Run the searches."""
        self.report("starting TensorFlow")
        with contextlib.closing(run_searches(tasks, workers, journal=journal)) as outcomes:
            for outcome in outcomes:
                task = outcome.task
                if outcome.error:
                    raise RuntimeError(f"gradcheck failed on the variant {task.name}:\n{outcome.error}")
                for mode in task.modes:
                    self.cells[task.name, mode] = self._cell(outcome, mode)
                self.report(task.name)

    def _cell(self, outcome: SearchOutcome, mode: str) -> VariantCell:
        variant = self.variants[outcome.task.name]
        found = outcome.document["modes"][mode]
        reason = _rule(variant, mode, self.version).reason
        return VariantCell(
            variant, outcome.result(mode), reason, found["arguments"], found["script"], outcome.evidence(mode)
        )
