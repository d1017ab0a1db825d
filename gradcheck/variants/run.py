"""Running the variants: every one in every mode, each verdict compared with what is expected of it.

What ``gradcheck variants`` and ``nox -s tf28`` call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gradcheck.errors import InputError
from gradcheck.report import SCHEMA_VERSION, ModeResult
from gradcheck.variants.catalog import Variant, catalog
from gradcheck.variants.claims import ClaimResult, measure_claims
from gradcheck.variants.expectations import Expectation, expected

__all__ = ["DEFAULT_EXAMPLES", "VariantCell", "VariantsResult", "run_variants"]

# Enough for every failure among the variants (the rarest needs two rows of different length); a hundred
# and more are for looking for planted errors.
DEFAULT_EXAMPLES = 20
# XLA compiles these anew for every vector of lengths (see their expectation), about a second each.
_SLOW_TO_COMPILE = ("scatter_range", "scatter_rows")
_SLOW_EXAMPLES = 8


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
        text = (
            f"{self.variant.name} in mode {self.result.mode}: {self.result.verdict.value}, expected {wanted}"
        )
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
        ending = f" on TensorFlow {version}, {self.seconds:.0f} s" + (
            ", interrupted" if self.interrupted else ""
        )
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
) -> VariantsResult:
    """Search every variant in every mode, compare with the expected verdicts, and measure the claims.

    Args: modes: modes to run; all four where None. max_examples: batches to try on each variant;
    `DEFAULT_EXAMPLES` where None. Variants that XLA compiles anew for each vector of lengths get fewer in
    that mode, unless the number is given. only: only variants with one of these texts in their name. seed:
    seed of the search, so that two runs try the same batches. claims: whether to measure the claims too.
    progress: called with the name of what runs next, how many are done, and how many there are.

    A KeyboardInterrupt ends the run and keeps what was found; ``interrupted`` is then True.

    Raises:
        InputError: for an unknown mode, or where no variant matches ``only``.
        MissingTensorFlowError: where TensorFlow is not installed.
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
    cells: list[VariantCell] = []
    measured: tuple[ClaimResult, ...] = ()
    interrupted = False
    report = progress or (lambda name, done, total: None)
    try:
        for number, variant in enumerate(chosen):
            report(variant.name, number, len(chosen))
            cells += _run_variant(variant, modes, max_examples, seed, installed["tensorflow"])
        if claims:
            report("the claims", len(chosen), len(chosen))
            measured = measure_claims()
    except KeyboardInterrupt:
        interrupted = True
    return VariantsResult(
        tuple(cells),
        measured,
        installed,
        max_examples or DEFAULT_EXAMPLES,
        time.perf_counter() - started,
        interrupted,
    )


def _run_variant(
    variant: Variant, modes: tuple[str, ...], max_examples: int | None, seed: int, version: str
) -> list[VariantCell]:
    """Search one variant in some modes."""
    slow = tuple(m for m in modes if m == "xla" and variant.construct.name in _SLOW_TO_COMPILE)
    if max_examples is not None or not slow:
        return _search(variant, modes, max_examples or DEFAULT_EXAMPLES, seed, version)
    others = tuple(mode for mode in modes if mode not in slow)
    cells = _search(variant, others, DEFAULT_EXAMPLES, seed, version) if others else []
    return cells + _search(variant, slow, _SLOW_EXAMPLES, seed, version)


def _search(
    variant: Variant, modes: tuple[str, ...], max_examples: int, seed: int, version: str
) -> list[VariantCell]:
    import gradcheck

    rules = {mode: expected(variant.construct.name, mode, version) for mode in modes}
    found = gradcheck.search(
        variant.subject,
        gradcheck.strategies.batches(features=2, max_batch=3, max_length=4, sides=("post",)),
        max_examples=max_examples,
        modes=modes,
        seed=seed,
        expect={mode: rule.verdict for mode, rule in rules.items()},
    )
    return [_cell(variant, found[mode], rules[mode]) for mode in modes]


def _cell(variant: Variant, found: Any, rule: Expectation) -> VariantCell:
    """A cell from what a search found in one mode (anything with the attributes of a search's mode)."""
    batch, report = found.counterexample, found.report
    result = report[found.mode] if report is not None else ModeResult(found.mode, found.verdict, found.cause)
    return VariantCell(
        variant,
        # The search may have met its verdict on another batch than the one that its report is of.
        replace(result, verdict=found.verdict, cause=found.cause, expected=(rule.verdict,)),
        rule.reason,
        "" if batch is None else repr(batch),
        "" if report is None else report.scripts.get(found.mode, ""),
    )
