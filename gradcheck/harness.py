"""One check: a subject on one batch in every mode that was asked for. Screen, refine, confirm.

Eager mode runs first: it shows the outputs, the variables that the subject reads, and what the other modes must agree
with. Then one mode, the one that evaluates the fastest (XLA where it can), gets both Jacobians entry by entry; it is
the *witness*. The other modes run the subject and its gradient themselves, and where their outputs around the point
and random combinations of their gradient rows equal the witness's up to rounding, its comparison holds for them too.
Where they differ, they are measured entry by entry themselves. So a bug in one mode only is found in that mode, at the
cost of few executions in the others; eager execution, dear as it is, above all.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
import traceback
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck import recording
from gradcheck._tensorflow import tensorflow, versions
from gradcheck.agreement import gradient_bound, noise_ratio, output_bound
from gradcheck.engines.jacobians import (
    Examination,
    eps_of,
    examine,
    is_large,
    project,
    random_weights,
    theoretical_jacobian,
)
from gradcheck.engines.locate import locate
from gradcheck.engines.reference import REFERENCE_STEP, compute_gradient
from gradcheck.errors import GradientError, InputError
from gradcheck.expectations import expected_verdicts
from gradcheck.findings import Finding, judged, nonfinite
from gradcheck.layout import Block, Layout
from gradcheck.modes import EagerExecution, Execution, OneByOne, execution, parse_modes
from gradcheck.numerics import Kind, Status, noise_level, noise_points
from gradcheck.padding import extended, refilled, side_of, steps_mask, valid_inputs, valid_outputs
from gradcheck.preserving import preserved
from gradcheck.problem import WRT, Problem
from gradcheck.rendering.causes import cause_of, is_unsupported
from gradcheck.report import Entry, ModeResult, Report
from gradcheck.strategies import Batch
from gradcheck.strategies._literals import array_code
from gradcheck.subject import Subject, subject_of
from gradcheck.twin import float64_twin, is_low, widened_names
from gradcheck.verdicts import Verdict

__all__ = ["ENGINES", "ORDER", "assert_gradients", "check"]

ENGINES = ("compiled", "reference", "projected")

# The first that runs the subject becomes the witness: XLA evaluates many points the fastest by far. Eager goes last.
ORDER = ("xla", "graph", "dynamic", "eager")

# How many verified examples a subject keeps, and how large a Jacobian is worth keeping.
_MOST_WITNESSES = 512
_MOST_REMEMBERED = 1 << 16


def check(
    subject: Any,
    *args: Any,
    modes: str | Sequence[str] | None = None,
    wrt: str | None = None,
    engine: str | None = None,
    expect: Any = None,
    call: Any = None,
    padding: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    resolution_limit: float | None = None,
) -> Report:
    """Check the gradients of a subject on one batch, in every mode.

    Args:
        subject: a callable, a `tf.Module` or a Keras layer; or a class, or a function without parameters, that makes
            one.
        *args: one `gradcheck.Batch`, or the positional arguments themselves: arrays, tensors, ragged and sparse
            tensors, Python numbers, and dicts, lists and tuples of these. Floating-point and complex ones are
            differentiated, integer and boolean ones held constant.
        modes: which of ``eager``, ``graph``, ``dynamic``, ``xla``; all of them where omitted.
        wrt: ``"inputs"``, ``"variables"`` (trainable ones that the subject reads) or ``"all"``, the default.
        engine: ``"compiled"`` (both Jacobians, entry by entry, in few dispatches), ``"reference"``
            (`tf.test.compute_gradient`'s own dispatches, one an entry; slow) or ``"projected"`` (random directions
            only). Where omitted: compiled, or projected for Jacobians too large to form.
        expect: verdicts that are expected, by mode and version: see `gradcheck.expectations.expected_verdicts`.
        call: how the subject is called, as ``call(subject, values, ...)`` with any of ``values``, ``lengths``,
            ``mask`` by name. Where omitted the subject's signature decides.
        padding: whether valid outputs are also held to depend on valid inputs only.
        rtol, atol: a tolerance of your own, ``atol + rtol·|numerical|``, in place of the measured error bound.
        resolution_limit: entries whose error bound exceeds this part of their row's largest entry are
            ``UNRESOLVED``. Where omitted 1e-4 in float64, coarser in lower precision.

    Returns:
        A `Report`. A finding never raises.

    Raises:
        InputError: the arguments cannot be checked: what is wrong, the value and the remedy.
        MissingTensorFlowError: TensorFlow is not installed.
    """
    defaults = recording.defaults()
    chosen_modes = parse_modes(modes if modes is not None else defaults.get("modes"))
    wrt = wrt or defaults.get("wrt") or "all"
    engine = engine or defaults.get("engine")
    expect = expect if expect is not None else defaults.get("expect")
    if wrt not in WRT:
        raise InputError(f"wrt must be one of {', '.join(map(repr, WRT))}; got {wrt!r}")
    if engine is not None and engine not in ENGINES:
        raise InputError(f"engine must be one of {', '.join(map(repr, ENGINES))}; got {engine!r}")
    if not args:
        raise InputError("check needs a batch, or the arguments of the subject, behind the subject")
    tf = tensorflow()
    expected = {mode: expected_verdicts(expect, mode, tf.__version__) for mode in chosen_modes}
    adapter = subject_of(subject, call)
    options = {"rtol": rtol, "atol": atol, "resolution_limit": resolution_limit}
    run = _Check(adapter, args, chosen_modes, wrt, engine, padding, options)
    results = run.results()
    return Report(
        subject=adapter.name,
        modes={mode: replace(results[mode], expected=expected[mode]) for mode in chosen_modes},
        arguments=_as_code(args),
        versions=versions(),
        wrt=wrt,
        scripts=_Scripts(run, {mode: replace(results[mode], expected=expected[mode]) for mode in chosen_modes}),
    )


def assert_gradients(subject: Any, *args: Any, **options: Any) -> Report:
    """As `check`, and raise where a mode is not as it should be.

    Returns:
        The report, where nothing failed.

    Raises:
        GradientError: with the report as its message.
        InputError, MissingTensorFlowError: as `check`.
    """
    __tracebackhide__ = True
    report = check(subject, *args, **options)
    recording.publish(report)
    if not report.ok:
        raise GradientError(report)
    return report


class _Scripts(Mapping[str, str]):
    """Reproduction scripts by failing mode, written when someone asks: extracting sources takes time."""

    def __init__(self, run: _Check, results: Mapping[str, ModeResult]) -> None:
        self._run = run
        self._results = {mode: result for mode, result in results.items() if not result.ok and result.verdict.fails}
        self._texts: dict[str, str] = {}

    def __getitem__(self, mode: str) -> str:
        if mode not in self._texts:
            self._texts[mode] = self._run.script(self._results[mode])
        return self._texts[mode]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)


@dataclass
class _Baseline:
    """What eager mode showed."""

    outputs: np.ndarray | None = None
    error: Exception | None = None
    deterministic: bool = True


@dataclass(frozen=True)
class _Witness:
    """A mode that was measured entry by entry, and neither failed nor was projected.

    Attributes:
        finding: what it came to.
        found: its examination.
        nearby: its outputs at the point that `_Check.nearby` gives.
        none_gradients: numbers of the input blocks whose gradient is None.
    """

    finding: Finding
    found: Examination
    nearby: np.ndarray
    none_gradients: frozenset[int]


@dataclass
class _Mode:
    """What is known of one mode while a check runs."""

    run: Execution
    finding: Finding
    found: Examination | None = None
    engine: str = ""
    notes: list[str] = field(default_factory=list)


class _Check:
    """One check in progress."""

    def __init__(
        self,
        subject: Subject,
        args: Sequence[Any],
        modes: Sequence[str],
        wrt: str,
        engine: str | None,
        padding: bool,
        options: dict[str, Any],
    ) -> None:
        self.subject, self.args, self.modes, self.wrt = subject, args, modes, wrt
        self.engine, self.padding, self.options = engine, padding, options
        self.batch = args[0] if len(args) == 1 and isinstance(args[0], Batch) else None
        self.baseline = _Baseline()
        self.problem: Problem
        self.eager: EagerExecution
        self.places: dict[str, Finding] = {}
        self.witness: _Witness | None = None
        self.twin: Problem | None = None
        self.no_twin = ""

    # -- the whole ---------------------------------------------------------------------------------------------

    def results(self) -> dict[str, ModeResult]:
        with contextlib.ExitStack() as stack:
            before = self.subject.variables()
            stack.enter_context(preserved(before))
            self._observe()
            known = {id(variable) for variable in before}
            # A layer may build its variables at its first call.
            stack.enter_context(preserved([v for v in self.subject.variables() if id(v) not in known]))
            for variable, value in zip(self.problem.plan.state, self.problem.state_values, strict=False):
                variable.assign(value)
            self.witness = self.subject.witnesses.get(self._digest()) if self.engine is None else None
            if tuple(self.modes) == ("eager",) and self.witness is None:
                self._call_witness()
            results = {}
            for mode in sorted(self.modes, key=ORDER.index):
                start = time.perf_counter()
                state = self._mode(mode)
                results[mode] = _result(mode, state, time.perf_counter() - start)
                self.places[mode] = state.finding
            return results

    def _observe(self) -> None:
        """Run eager mode once: outputs, layout, variables, state."""
        problem = self._bind_first()
        eager = EagerExecution(problem)
        variables = [v for v in self.subject.variables() if v.trainable]
        before = [(v, v.numpy()) for v in self.subject.variables()]
        layout = Layout(())
        try:
            outputs, layout, read = eager.observe(problem.x)
            variables = _in_order(variables, read)
            self.baseline.outputs = outputs
        except InputError:
            raise
        except Exception as error:
            self.baseline.error = error
        changed = [(v, value) for v, value in before if v.numpy().tobytes() != value.tobytes()]
        for variable, value in changed:
            variable.assign(value)
        state = [variable for variable, _ in changed]
        self.problem = Problem.bind(self.subject, self.args, wrt=self.wrt, variables=variables, state=state)
        self.problem.outputs = layout
        if not np.isfinite(self.problem.x[self._columns()]).all():
            column = int(self._columns()[~np.isfinite(self.problem.x[self._columns()])][0])
            raise InputError(
                f"{self.problem.plan.inputs.describe(column)} is {self.problem.x[column]}: a slope can be measured "
                "only where every input that counts is finite. NaN and Inf may stand in the padding of a Batch"
            )
        self.eager = EagerExecution(self.problem)
        if self.baseline.outputs is not None and (is_low(layout) or is_low(self.problem.plan.inputs)):
            self.twin, self.no_twin = float64_twin(self.problem, self.baseline.outputs, wrt=self.wrt)
        if self.baseline.outputs is not None:
            again = self.eager.forward(self.problem.x)
            self.baseline.deterministic = _close(again, self.baseline.outputs, self._loose(self.baseline.outputs))

    def _bind_first(self) -> Problem:
        # What the subject reads is known only after a call: a first problem differentiates nothing but inputs.
        if self.wrt == "variables":
            trainable = [v for v in self.subject.variables() if v.trainable]
            with contextlib.suppress(InputError):
                return Problem.bind(self.subject, self.args, wrt="variables", variables=trainable)
        try:
            return Problem.bind(self.subject, self.args, wrt="inputs")
        except InputError:
            variables = [v for v in self.subject.variables() if v.trainable] if self.wrt != "inputs" else []
            if not variables:
                raise
            return Problem.bind(self.subject, self.args, wrt=self.wrt, variables=variables)

    # -- what counts -------------------------------------------------------------------------------------------

    def _mask(self) -> np.ndarray | None:
        return None if self.batch is None else steps_mask(self.batch, self.subject.style)

    def _poisoned(self) -> bool:
        return not np.isfinite(self.problem.x).all()

    def _columns(self) -> np.ndarray:
        """Inputs that are differentiated: all of them, or the valid ones where the padding holds NaN or Inf."""
        mask = self._mask()
        if mask is None or np.isfinite(self.problem.x).all():
            return np.arange(self.problem.x.size)
        return np.flatnonzero(valid_inputs(self.problem.plan, mask))

    def _rows(self) -> np.ndarray:
        mask = self._mask()
        if mask is None or not self._poisoned():
            return np.arange(self.problem.outputs.size)
        assert self.batch is not None
        side = side_of(self.batch, self.subject.style)
        return np.flatnonzero(valid_outputs(self.problem.outputs, mask, side))

    def _eps(self) -> np.ndarray:
        """Machine epsilon for each output: its own dtype's, or the coarsest of what it is computed from."""
        coarsest = max((eps_of(block.dtype) for block in self.problem.plan.inputs.blocks), default=2.0**-52)
        eps = [np.full(block.size, max(eps_of(block.dtype), coarsest)) for block in self.problem.outputs.blocks]
        return np.concatenate(eps) if eps else np.zeros(0)

    def _loose(self, outputs: np.ndarray) -> np.ndarray:
        """A first bound on rounding, before any noise was measured."""
        eps = self._eps() if self.problem.outputs.size == outputs.size else np.full(outputs.size, 2.0**-23)
        size = np.abs(np.where(np.isfinite(outputs), outputs, 0.0))
        return np.asarray(1e4 * eps * np.maximum(size, size.max(initial=0.0)))

    # -- one mode ----------------------------------------------------------------------------------------------

    def _mode(self, mode: str) -> _Mode:
        run: Execution = execution(self.problem, mode)
        try:
            if mode == "eager" and self.baseline.error is not None:
                raise self.baseline.error
            state = self._checked(run)
        except InputError:
            raise
        except Exception as error:
            return _Mode(run, self._raised(mode, error))
        if self.baseline.error is not None and not state.finding.verdict.fails:
            # Its gradient may well be right for what it computes; but that is not what the code says.
            detail = self._raised("eager", self.baseline.error).detail
            cause = f"returns a result where eager mode raises: {cause_of(self.baseline.error, 'eager')}"
            state.finding = Finding(Verdict.DISAGREEMENT, cause, detail=detail)
        return state

    def _raised(self, mode: str, error: Exception) -> Finding:
        unsupported = mode != "eager" and is_unsupported(error, mode)
        verdict = Verdict.UNSUPPORTED if unsupported else Verdict.ERROR
        detail = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return Finding(verdict, cause_of(error, mode), detail=detail)

    def _checked(self, run: Execution) -> _Mode:
        """One mode: beside the witness, or measured for itself."""
        state = _Mode(run, Finding(Verdict.PASS), engine=self.engine or "compiled")
        if self.baseline.outputs is None:
            # Eager mode raises on this batch and this mode may not: its own forward pass shows the outputs.
            size = run.forward(self.problem.x).size
            self.problem.outputs = Layout.of([Block("output", (size,), "float64")])
        elif run.mode == "eager" and not self.baseline.deterministic:
            state.finding = self._nondeterministic(run, "the outputs", self.baseline.outputs, None)
            return state
        if self.engine == "reference":
            state.run = OneByOne(run)
        try:
            if self.witness is not None and self.engine is None and self._agrees(run, self.witness):
                return self._beside(state, self.witness)
            if run.mode == "eager" and self.engine is None and self._too_slow(run):
                state.engine = "projected"
            return self._measured(state)
        except InputError:
            raise
        except Exception:
            if run.mode == "eager" or isinstance(state.run, OneByOne):
                raise
            # Some subjects run in the mode but not inside a loop in it. If they fail one by one too, they fail.
            state.run, state.engine = OneByOne(run), "reference"
            state.notes = [*state.notes, "the subject does not run inside a loop, so every point took its own call"]
            return self._measured(state)

    def _beside(self, state: _Mode, witness: _Witness) -> _Mode:
        """The mode does what the witness does: its entries hold; the rule about padding is held in the mode itself."""
        state.found = witness.found
        state.finding = self._leak(state, witness.found) or replace(witness.finding, notes=())
        self._compare_engines(state, witness.found)
        self._note_silent_zeros(state)
        return state

    def _call_witness(self) -> None:
        """Measure a compiled mode that nobody asked for, so that eager mode need not be measured entry by entry.

        Dynamic mode is traced just once, whatever is drawn. A subject that it cannot run has no witness.
        """
        if self.engine is None and self.baseline.error is None:
            state = _Mode(execution(self.problem, "dynamic"), Finding(Verdict.ERROR), engine="compiled")
            with contextlib.suppress(Exception):
                self._measured(state, rules=False)

    def _digest(self) -> bytes:
        """Identifies the numbers of a problem: examples that one mode verified are met again in the others."""
        digest = hashlib.blake2b(repr((self.wrt, self.options, self.problem.plan.inputs.signature())).encode())
        digest.update(self.problem.x.tobytes())
        for constant in self.problem.constants:
            digest.update(constant.numpy().tobytes())
        return digest.digest()

    def _too_slow(self, run: Execution) -> bool:
        start = time.perf_counter()
        run.forward(self.problem.x)
        once = time.perf_counter() - start
        return once * (40 + 6 * self.problem.x.size) > 2.0

    def nearby(self) -> np.ndarray:
        """A point close to the batch, every input that counts moved a little: always the same for the same batch."""
        x: np.ndarray = self.problem.x.copy()
        columns = self._columns()
        random = np.random.default_rng(self._seed())
        x[columns] += 2.0**-7 * np.maximum(1.0, np.abs(x[columns])) * random.uniform(-1, 1, columns.size)
        return x

    def _agrees(self, run: Execution, witness: _Witness) -> bool:
        """Whether outputs here and nearby, and random combinations of gradient rows, equal the witness's.

        Every weight of a combination has size 0.5 … 1.5 and a random sign, so that a single wrong entry shows in all
        three of them with at least half its error.
        """
        found, rows, columns, eps = witness.found, self._rows(), self._columns(), self._eps()
        if found.center.size != self.problem.outputs.size:
            return False
        x = self.problem.x
        if run.mode == "eager":
            assert self.baseline.outputs is not None
            ours = np.stack([self.baseline.outputs, run.forward(self.nearby())])
        else:
            ours = run.evaluate(np.stack([x, self.nearby()]))
        bound = output_bound(found.center, found.noise, eps)[rows]
        for mine, other in zip(ours, (found.center, witness.nearby), strict=False):
            if mine.size != other.size or not _close(mine[rows], other[rows], bound):
                return False
        jacobian = found.jacobian[np.ix_(rows, columns)]
        if not np.isfinite(jacobian).all():
            return False
        random = np.random.default_rng(self._seed())
        cotangents = random_weights(random, 3, self.problem.outputs.size, rows)
        weights = cotangents[:, rows]
        pulled = run.pullback(x, cotangents)[:, columns]
        if run.none_gradients != witness.none_gradients:
            return False
        ratio = noise_ratio(found.center, found.noise, eps)
        allowed = gradient_bound(np.abs(weights) @ np.abs(jacobian), ratio, float(eps.max(initial=2.0**-52)))
        return bool((np.abs(pulled - weights @ jacobian) <= allowed).all())

    def _seed(self) -> int:
        return zlib.crc32(self.problem.x.tobytes())

    def _measured(self, state: _Mode, *, rules: bool = True) -> _Mode:
        """Theoretical against numerical in the mode itself, then determinism, eager's word, and the padding."""
        run, x = state.run, self.problem.x
        rows, columns, eps = self._rows(), self._columns(), self._eps()
        inputs, outputs = self.problem.plan.inputs, self.problem.outputs
        large = is_large(x.size, outputs.size) and self.engine is None
        if state.engine == "projected" or large:
            state.engine = "projected"
            return self._projected(state, rows, columns, eps)
        jacobian, again = theoretical_jacobian(run, x)
        if outputs.size == 0:
            if again.any():
                cause = "the output is empty, yet its gradient is not zero"
                state.finding = Finding(Verdict.MISMATCH, cause)
            else:
                state.notes.append("the output is empty: its gradient is zero, as it must be")
            return state
        if self.baseline.outputs is not None and not np.isfinite(self.baseline.outputs[rows]).all():
            center = run.evaluate(x[None])[0]
        else:
            center = None
        if center is not None or not np.isfinite(jacobian[np.ix_(rows, columns)]).all():
            center = run.evaluate(x[None])[0] if center is None else center
            bad = nonfinite(center, jacobian, inputs, outputs, rows, columns)
            if bad is not None:
                state.finding = bad
                return state
        precise: Finding | None = None
        if self.twin is not None:
            found, precise = self._through_twin(run, jacobian, rows, columns, eps)
        else:
            found = examine(run, x, jacobian, eps=eps, rows=rows, columns=columns, options=self.options)
            if self.no_twin:
                state.notes.append(f"measured in low precision, so only coarse errors show: {self.no_twin}")
        state.found = found
        finding = (
            self._unstable(state, found, again)
            or nonfinite(found.center, jacobian, inputs, outputs, rows, columns)
            or self._differs_from_eager(state, found)
        )
        finding = finding or precise or judged(run, found)
        if not finding.verdict.fails and run.mode != "eager":
            self._remember(_Witness(finding, found, run.evaluate(self.nearby()[None])[0], run.none_gradients))
        if not rules:
            state.finding = finding
            return state
        if not finding.verdict.fails:
            finding = self._leak(state, found) or finding
        state.finding = self._confirmed(run, finding)
        self._compare_engines(state, found)
        self._note_silent_zeros(state)
        return state

    def _through_twin(
        self, run: Execution, jacobian: np.ndarray, rows: np.ndarray, columns: np.ndarray, eps: np.ndarray
    ) -> tuple[Examination, Finding]:
        """A low-precision mode: its float64 twin against measured slopes, then its own gradient against the twin's.

        Returns:
            The twin's judgement beside the mode's own outputs, noise and Jacobian; and what it came to.
        """
        assert self.twin is not None
        x = self.problem.x
        inner: Execution = execution(self.twin, run.mode)
        wide = OneByOne(inner) if isinstance(run, OneByOne) else inner
        precise, _ = theoretical_jacobian(wide, x)
        exact = np.full(eps.size, 2.0**-52)
        found = examine(wide, x, precise, eps=exact, rows=rows, columns=columns, options=self.options)
        finding = judged(wide, found)
        if finding.verdict in (Verdict.MISMATCH, Verdict.DISCONNECTED):
            note = "measured on the float64 twin: the same computation with float64 inputs and weights"
            finding = replace(self._confirmed(wide, finding), notes=(*finding.notes, note))
        coarse = float(eps.max())
        probes = noise_points(x, eps=min(coarse, 2.0**-7))
        values = run.evaluate(np.concatenate([x[None], probes]))
        with np.errstate(all="ignore"):
            noise = np.asarray(noise_level(values[0], values[1:], eps=min(coarse, 2.0**-7)))
        own = replace(found, center=values[0], jacobian=jacobian, noise=noise)
        if finding.verdict.fails:
            return own, finding
        return own, self._against_twin(run, wide, own, precise, eps) or finding

    def _against_twin(
        self, run: Execution, wide: Execution, own: Examination, precise: np.ndarray, eps: np.ndarray
    ) -> Finding | None:
        """The low-precision gradient beside the float64 one, on the same inputs: only rounding may differ."""
        rows, columns = own.rows, own.columns
        mine, theirs = own.jacobian[np.ix_(rows, columns)], precise[np.ix_(rows, columns)]
        if not np.isfinite(mine).all():
            return None  # NONFINITE, which says more
        ratio = noise_ratio(own.center, own.noise, eps)
        # Entries of an output share its terms. A derivative that is computed from the output itself, as that of tanh or
        # softmax, also has the rounding error of the output, however small it is.
        from_output = np.abs(own.center[rows])[:, None] / np.maximum(1.0, np.abs(self.problem.x[columns]))
        allowed = gradient_bound(np.abs(theirs) + from_output, ratio, 1.0) * eps[rows][:, None]
        smooth = own.judgement.status.T == Status.PASS
        beyond = smooth & ~(np.abs(mine - theirs) <= allowed)
        if not beyond.any():
            return None
        i, j = np.unravel_index(int(np.argmax(np.where(beyond, np.abs(mine - theirs) / allowed, 0.0))), beyond.shape)
        row, column = int(rows[i]), int(columns[j])
        if not self._systematic(run, wide, row, column):
            return None
        outputs, inputs = self.problem.outputs, self.problem.plan.inputs
        low = widened_names([*inputs.blocks, *outputs.blocks])
        cause = (
            f"the gradient in {low} is {mine[i, j]:.6g} where the same computation in float64 gives "
            f"{theirs[i, j]:.6g}; rounding explains {allowed[i, j]:.2g} ({int(beyond.sum())} of {beyond.size} entries)"
        )
        entry = Entry(
            outputs.describe(row), inputs.describe(column), float(mine[i, j]), float(theirs[i, j]),
            float(allowed[i, j]), index=(row, column),
        )  # fmt: skip
        return Finding(Verdict.MISMATCH, cause, entry, place=(row, column))

    def _systematic(self, run: Execution, wide: Execution, row: int, column: int) -> bool:
        """Whether a low-precision gradient is off by the same part at points nearby: rounding errors scatter, and
        change their sign.
        """
        x, columns = self.problem.x, self._columns()
        dtypes = np.concatenate([np.full(block.size, eps_of(block.dtype)) for block in self.problem.plan.inputs.blocks])
        random = np.random.default_rng(self._seed())
        cotangent = np.zeros((1, self.problem.outputs.size))
        cotangent[0, row] = 1.0
        parts = []
        for number in range(8):
            point = x.copy()
            if number:
                moved = x[columns] * (1 + 2.0**-5 * random.uniform(-1, 1, columns.size))
                # Both must be given the same point, so one that the lower precision can hold.
                unit = np.exp2(np.floor(np.log2(np.maximum(np.abs(moved), 1e-30)))) * dtypes[columns]
                point[columns] = np.round(moved / unit) * unit
            low, high = run.pullback(point, cotangent)[0, column], wide.pullback(point, cotangent)[0, column]
            parts.append((low - high) / max(abs(high), 1e-300))
        error = np.array(parts)
        return bool(
            np.isfinite(error).all()
            and abs(np.sign(error).sum()) == len(error)
            and np.ptp(error) <= np.abs(error).min()
        )

    def _remember(self, witness: _Witness) -> None:
        if self.engine is not None:
            return
        self.witness = witness
        kept = self.subject.witnesses
        if witness.found.jacobian.size <= _MOST_REMEMBERED:
            kept[self._digest()] = witness
            while len(kept) > _MOST_WITNESSES:
                kept.pop(next(iter(kept)))

    def _projected(self, state: _Mode, rows: np.ndarray, columns: np.ndarray, eps: np.ndarray) -> _Mode:
        run, x = state.run, self.problem.x
        level = float(eps.max(initial=2.0**-52))
        center = run.evaluate(x[None])[0]
        if not np.isfinite(center[rows]).all():
            jacobian = np.zeros((center.size, 0))
            bad = nonfinite(center, jacobian, self.problem.plan.inputs, self.problem.outputs, rows, np.zeros(0, int))
            assert bad is not None
            state.finding = bad
            return state
        found = project(run, x, eps=level, rows=rows, columns=columns, seed=self._seed(), options=self.options)
        state.found = found
        statuses = found.judgement.status
        resolution = None if np.isnan(found.judgement.resolution) else float(found.judgement.resolution)
        if (statuses == Status.MISMATCH).any() or (statuses == Status.NONFINITE).any():
            single = locate(run, x, found, eps=eps, rows=rows, columns=columns, options=self.options)
            if single is None:
                cause = "random combinations of gradient entries are wrong, but no single entry is beyond its bound"
                state.finding = Finding(Verdict.UNRESOLVED, cause, resolution=resolution)
            else:
                state.finding = self._confirmed(run, judged(run, single))
                if not state.finding.verdict.fails and not np.isfinite(single.jacobian).all():
                    state.finding = Finding(Verdict.NONFINITE, "the gradient is not finite")
            return state
        if (statuses == Status.UNRESOLVED).any():
            cause = "the slope along random directions could not be measured well enough"
            state.finding = Finding(Verdict.UNRESOLVED, cause, resolution=resolution)
        elif (statuses == Status.KINK).any():
            cause = (
                "the function has a corner at this point; along random directions the gradient lies between the slopes"
            )
            state.finding = Finding(Verdict.KINK, cause, resolution=resolution)
        else:
            state.finding = Finding(Verdict.PASS, resolution=resolution)
        differs = self._differs_from_eager(state, found)
        if differs is not None:
            state.finding = differs
        return state

    # -- the rules ---------------------------------------------------------------------------------------------

    def _unstable(self, state: _Mode, found: Examination, again: np.ndarray) -> Finding | None:
        """The same call twice."""
        run, x, eps = state.run, self.problem.x, self._eps()
        bound = output_bound(found.center, found.noise, eps)
        twice = run.evaluate(x[None])[0]
        # The noise of a random function is as large as its values and would excuse anything: a second, fixed bound.
        doubtful = not self.baseline.deterministic or not _close(twice, found.center, bound)
        if doubtful and not _close(twice, found.center, self._loose(found.center)):
            return self._nondeterministic(run, "the outputs", found.center, twice)
        first = found.jacobian[0]
        ratio = noise_ratio(found.center, found.noise, eps)
        allowed = gradient_bound(np.abs(first)[None], ratio, float(eps.max(initial=2.0**-52)))[0]
        if np.isfinite(first).all() and np.isfinite(again).all() and not _close(first, again, allowed):
            return self._nondeterministic(run, "the gradient", first, again)
        return None

    def _nondeterministic(self, run: Execution, what: str, one: np.ndarray | None, two: np.ndarray | None) -> Finding:
        if one is not None and two is None:
            two = run.forward(self.problem.x)
        place, words = None, ""
        if one is not None and two is not None and one.size == two.size:
            difference = np.abs(one - two)
            worst = int(np.nanargmax(np.where(np.isnan(difference), np.inf, difference))) if one.size else 0
            layout = self.problem.outputs if what == "the outputs" else self.problem.plan.inputs
            words = f": {layout.describe(worst)} is {one[worst]:.9g}, then {two[worst]:.9g}" if one.size else ""
            place = (worst, None) if what == "the outputs" else None
        cause = f"the same call twice gives two different results in {what}{words}; fix the seed, or switch dropout off"
        return Finding(Verdict.NONDETERMINISTIC, cause, place=place)

    def _differs_from_eager(self, state: _Mode, found: Examination) -> Finding | None:
        """Outputs against eager mode's."""
        reference = self.baseline.outputs
        if reference is None or state.run.mode == "eager" or not self.baseline.deterministic:
            return None
        rows = self._rows()
        if found.center.size != reference.size:
            cause = f"the output has {found.center.size} elements here and {reference.size} in eager mode"
            return Finding(Verdict.DISAGREEMENT, cause)
        difference = np.abs(found.center - reference)
        bound = output_bound(found.center, found.noise, self._eps())
        with np.errstate(invalid="ignore"):
            beyond = np.flatnonzero(~(difference <= bound))
        beyond = np.intersect1d(beyond, rows)
        if not found.projected and beyond.size:
            # At a tie the modes may choose differently, and both be right.
            kinds = found.judgement.kind
            cornered = ((kinds == Kind.JUMP) | (kinds == Kind.KINK)).any(axis=0)
            beyond = np.setdiff1d(beyond, found.rows[cornered])
        if not beyond.size:
            return None
        row = int(beyond[np.argmax(np.where(np.isfinite(difference[beyond]), difference[beyond], np.inf))])
        where = self.problem.outputs.describe(row)
        cause = (
            f"{where} is {found.center[row]:.9g} here and {reference[row]:.9g} in eager mode; rounding explains "
            f"{bound[row]:.2g} ({beyond.size} of {found.center.size} outputs differ)"
        )
        return Finding(Verdict.DISAGREEMENT, cause, place=(row, None))

    def _leak(self, state: _Mode, found: Examination) -> Finding | None:
        """Valid outputs, and their gradients, depend on valid inputs only."""
        mask = self._mask()
        if mask is None or not self.padding or self.batch is None or found.projected:
            return None
        from gradcheck.leaks import find_leak  # after the harness's parts: it binds problems of its own

        side = side_of(self.batch, self.subject.style)
        return find_leak(
            state.run,
            self.problem,
            found,
            mask=mask,
            side=side,
            eps=self._eps(),
            refill=refilled(self.batch, mask),
            extend=extended(self.batch, side) if state.run.mode in ("eager", "dynamic") else None,
            rebind=self._rebound,
        )

    def _rebound(self, batch: Batch) -> Problem:
        """The same subject, weights and state on another batch."""
        plan, problem = self.problem.plan, self.problem
        other = Problem.bind(self.subject, [batch], wrt=self.wrt, variables=plan.variables, state=plan.state)
        # The variables hold the last point that was evaluated; the weights of this check are those of its own point.
        weights = problem.x[problem.x.size - sum(b.size for b in plan.inputs.blocks[plan.input_count :]) :]
        other.x[other.x.size - weights.size :] = weights
        other.state_values = problem.state_values
        return other

    # -- confirmation ------------------------------------------------------------------------------------------

    def _confirmed(self, run: Execution, finding: Finding) -> Finding:
        """Recompute the entry of a finding with `tf.test.compute_gradient`, in the mode."""
        confirmable = finding.verdict in (Verdict.MISMATCH, Verdict.DISCONNECTED)
        if not confirmable or finding.entry is None or finding.place is None or finding.place[1] is None:
            return finding
        if finding.entry.reference is not None:
            return finding
        row, column = finding.place
        inner = run.inner if isinstance(run, OneByOne) else run
        pair = compute_gradient(inner, self.problem.x, rows=np.array([row]), columns=np.array([column]))
        reference = (float(pair[0][0, 0]), float(pair[1][0, 0]))
        return replace(finding, entry=replace(finding.entry, reference=reference))

    def _compare_engines(self, state: _Mode, found: Examination) -> None:
        """Both engines on the first batch of a (subject, mode): some rows and columns, each compared."""
        key = (state.run.mode, self.problem.plan.variables and "variables")
        if isinstance(state.run, (OneByOne, EagerExecution)) or key in self.subject.confirmed or found.projected:
            return
        if state.finding.verdict in (Verdict.NONDETERMINISTIC, Verdict.NONFINITE):
            return
        self.subject.confirmed.add(key)
        random = np.random.default_rng(self._seed())
        x = self.problem.x
        rows = np.sort(random.permutation(found.rows)[:4])
        columns = np.sort(random.permutation(found.columns)[:4])
        theoretical, numerical = compute_gradient(state.run, x, rows=rows, columns=columns)
        ours = found.jacobian[np.ix_(rows, columns)]
        points = np.repeat(x[None], 2 * columns.size, axis=0)
        for number, column in enumerate(columns):
            points[2 * number, column] += REFERENCE_STEP
            points[2 * number + 1, column] -= REFERENCE_STEP
        values = state.run.evaluate(points)[:, rows]
        slopes = ((values[0::2] - values[1::2]) / (2 * REFERENCE_STEP)).T
        eps = self._eps()
        ratio = noise_ratio(found.center, found.noise, eps)
        level = float(eps.max(initial=2.0**-52))
        allowed = gradient_bound(np.abs(ours), ratio, level)
        rounding = output_bound(found.center, found.noise, eps)[rows][:, None] / REFERENCE_STEP
        with np.errstate(invalid="ignore"):
            same = (np.abs(theoretical - ours) <= allowed).all() and (np.abs(numerical - slopes) <= rounding).all()
        if not same:
            state.notes.append(
                "ENGINES DIFFER: tf.test.compute_gradient gives other numbers than the compiled engine on this batch "
                f"(theoretical by up to {np.abs(theoretical - ours).max():.3g}, numerical by up to "
                f"{np.abs(numerical - slopes).max():.3g}). The verdict of this mode is not to be trusted; please "
                "report it, and use engine='reference' meanwhile"
            )

    def _note_silent_zeros(self, state: _Mode) -> None:
        if state.finding.verdict is Verdict.DISCONNECTED:
            return
        for number in sorted(state.run.none_gradients):
            block = self.problem.plan.inputs.blocks[number]
            state.notes.append(f"the gradient w.r.t. {block.name} is None, and moving it moves no output here")

    # -- reproduction ------------------------------------------------------------------------------------------

    def script(self, result: ModeResult) -> str:
        """The plain TensorFlow script of a failing mode."""
        from gradcheck.reproducing import script_for

        return script_for(self.subject, self.problem, result, self.places[result.mode])


def _in_order(known: Sequence[Any], read: Sequence[Any]) -> list[Any]:
    """The variables that were read, those that the subject lists in its order first."""
    wanted = {id(variable) for variable in read}
    first = [variable for variable in known if id(variable) in wanted]
    listed = {id(variable) for variable in first}
    floats = list(first + [v for v in read if id(v) not in listed])
    return [v for v in floats if v.dtype.is_floating or v.dtype.is_complex]


def _close(one: np.ndarray, two: np.ndarray, bound: np.ndarray) -> bool:
    """Whether two results agree within a bound; NaN agrees with NaN."""
    if one.size != two.size:
        return False
    with np.errstate(invalid="ignore"):
        same = (one == two) | (np.isnan(one) & np.isnan(two)) | (np.abs(one - two) <= bound)
    return bool(same.all())


def _result(mode: str, state: _Mode, seconds: float) -> ModeResult:
    finding = state.finding
    return ModeResult(
        mode=mode,
        verdict=finding.verdict,
        cause=finding.cause,
        entry=finding.entry,
        detail=finding.detail,
        changed=finding.changed,
        resolution=finding.resolution,
        engine=state.engine,
        notes=(*finding.notes, *state.notes),
        seconds=seconds,
    )


def _as_code(args: Sequence[Any]) -> str:
    """The arguments as code that can be pasted."""
    tf = tensorflow()

    def code(value: Any) -> str:
        if isinstance(value, tf.Tensor):
            value = value.numpy()
        if isinstance(value, (np.ndarray, np.generic)):
            return array_code(np.asarray(value))
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {code(item)}" for key, item in value.items()) + "}"
        if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
            inside = ", ".join(code(item) for item in value)
            return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
        if isinstance(value, tf.RaggedTensor):
            splits = [code(part) for part in value.nested_row_splits]
            return f"tf.RaggedTensor.from_nested_row_splits({code(value.flat_values)}, [{', '.join(splits)}])"
        return repr(value)

    return ", ".join(code(argument) for argument in args)
