"""What each variant is expected to come to, in each mode, by TensorFlow version, and why.

Every expectation was measured before it was written down; the versions between the two that were measured are
assumed to be like the older one until a run says otherwise. A deviation is a failure in either direction:
something broke, or something works that did not and the reason below is no longer true.
"""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.verdicts import Verdict

__all__ = ["RULES", "Expectation", "expected"]

_COMPILED = ("graph", "dynamic")
_NOT_XLA = ("eager", *_COMPILED)
_ALL = (*_NOT_XLA, "xla")


@dataclass(frozen=True)
class Expectation:
    """One rule: these constructs, in these modes, on these versions, come to this verdict, for this reason.

    Attributes:
        constructs: names of constructs.
        modes: modes it holds in.
        verdict: the verdict of a search.
        reason: why, in one sentence.
        since: first TensorFlow minor release it holds for, as numbers.
        before: first one it holds no longer for; None for "up to now".
        consumers: the consumers it holds for; empty for all, which is nearly always so.
        or_else: another verdict that the same cause leads to, where which one comes first depends on the
            batches drawn.
    """

    constructs: tuple[str, ...]
    modes: tuple[str, ...]
    verdict: Verdict
    reason: str
    since: tuple[int, int] = (2, 8)
    before: tuple[int, int] | None = None
    consumers: tuple[str, ...] = ()
    or_else: Verdict | None = None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts that are as expected."""
        return (self.verdict,) if self.or_else is None else (self.verdict, self.or_else)

    def holds(self, construct: str, consumer: str, mode: str, version: tuple[int, int]) -> bool:
        """Whether the rule speaks of this variant in this mode on this version."""
        in_range = self.since <= version and (self.before is None or version < self.before)
        of_consumer = not self.consumers or consumer in self.consumers
        return construct in self.constructs and of_consumer and mode in self.modes and in_range


RULES: tuple[Expectation, ...] = (
    # Dense stacking of rows of different length.
    Expectation(
        ("map_fn_range", "map_fn_rows"),
        ("eager",),
        Verdict.ERROR,
        "map_fn stacks its results, and results of different length have no common shape: the forward pass "
        "raises on the first row that is not as long as the first.",
    ),
    Expectation(
        ("map_fn_range", "map_fn_rows"),
        _COMPILED,
        Verdict.ERROR,
        "The TensorList that map_fn gathers its results in cannot be stacked when their lengths differ: the "
        "forward pass raises at TensorListStack.",
    ),
    Expectation(
        ("map_fn_range",),
        ("xla",),
        Verdict.UNSUPPORTED,
        "XLA must know the limit of tf.range when it compiles, and inside a loop that limit is a loop variable.",
    ),
    Expectation(
        ("map_fn_rows",),
        ("xla",),
        Verdict.CRASH,
        "XLA gives the stacked rows one dimension of bounded size and, before 2.16, cannot prove that it fits the "
        "padding that follows; compiling a batch of one row and one step ends the process instead.",
        before=(2, 16),
        or_else=Verdict.UNSUPPORTED,
    ),
    Expectation(
        ("map_fn_rows",),
        ("xla",),
        Verdict.DISAGREEMENT,
        "Since 2.16 it compiles, and silently cuts or stretches every row to the length of the last one, "
        "where eager mode raises.",
        since=(2, 16),
        consumers=("pooling", "recurrence"),
    ),
    Expectation(
        ("map_fn_rows",),
        ("xla",),
        Verdict.ERROR,
        "Since 2.16 it compiles most shapes, with the same silent wrong result, but stops with an internal error of "
        "its dynamic padder where one row meets a matrix product.",
        since=(2, 16),
        consumers=("attention",),
        or_else=Verdict.DISAGREEMENT,
    ),
    # Padding inside the loop.
    Expectation(
        ("map_fn_padded_range", "while_loop_tensor_array"),
        _NOT_XLA,
        Verdict.PASS,
        "All rows have the length of the longest before they are stacked, and the gradient of values never "
        "enters the loop, which holds integers only.",
    ),
    Expectation(
        ("map_fn_padded_range", "while_loop_tensor_array"),
        ("xla",),
        Verdict.UNSUPPORTED,
        "XLA must know the limit of tf.range when it compiles, and inside a loop that limit is a loop "
        "variable; padding the range afterwards does not change that.",
    ),
    Expectation(
        ("map_fn_padded_rows", "while_loop_rows"),
        _NOT_XLA,
        Verdict.PASS,
        "All rows have the length of the longest before they are stacked, and stack, pad and slice have gradients.",
    ),
    Expectation(
        ("map_fn_padded_rows",),
        ("xla",),
        Verdict.UNSUPPORTED,
        "XLA must know the widths given to tf.pad when it compiles, and inside a loop they are loop variables.",
    ),
    Expectation(
        ("while_loop_rows",),
        ("xla",),
        Verdict.UNSUPPORTED,
        "XLA must know the widths given to tf.pad when it compiles, and the gradient of a while_loop without "
        "maximum_iterations keeps a list whose size XLA does not know either.",
    ),
    # Ragged.
    Expectation(
        ("map_fn_ragged_range", "map_fn_ragged_rows"),
        _NOT_XLA,
        Verdict.PASS,
        "A ragged result has no common length to agree on, and its values keep their path back.",
    ),
    Expectation(
        ("map_fn_ragged_range", "map_fn_ragged_rows"),
        ("xla",),
        Verdict.UNSUPPORTED,
        "map_fn with a ragged signature keeps its results in a list of variants, for which XLA has no "
        "TensorListReserve.",
    ),
    Expectation(
        ("ragged_range", "ragged_rows"),
        _NOT_XLA,
        Verdict.PASS,
        "Ragged operations compute on the flat values, which keep their path back.",
    ),
    Expectation(
        ("ragged_range",),
        ("xla",),
        Verdict.UNSUPPORTED,
        "XLA has neither the operation RaggedRange nor RaggedTensorToTensor.",
    ),
    Expectation(
        ("ragged_rows",),
        ("xla",),
        Verdict.UNSUPPORTED,
        "XLA does not have the operation RaggedTensorToTensor.",
    ),
    # What compiles.
    Expectation(
        ("scatter_range", "scatter_rows"),
        _ALL,
        Verdict.PASS,
        "The width stands outside any loop, so XLA takes it from the value of lengths when it compiles: "
        "right, but compiled anew for every other vector of lengths.",
    ),
    Expectation(
        ("scan_steps",),
        _ALL,
        Verdict.PASS,
        "tf.scan runs as many steps as the time axis has, which every mode knows.",
    ),
    Expectation(
        ("broadcast_range", "broadcast_rows"),
        _ALL,
        Verdict.PASS,
        "Shapes come from the time axis alone and lengths are compared, never used as a size.",
    ),
)


def expected(construct: str, mode: str, version: str, consumer: str = "pooling") -> Expectation:
    """The rule for a variant in a mode on a version of TensorFlow, such as ``"2.8.4"``.

    Raises LookupError where no rule, or more than one, speaks of it.
    """
    major, minor = version.split(".")[:2]
    rules = [rule for rule in RULES if rule.holds(construct, consumer, mode, (int(major), int(minor)))]
    if len(rules) != 1:
        raise LookupError(
            f"{len(rules)} expectations for {construct!r} in mode {mode!r} on TensorFlow {version}, where "
            "there must be exactly one; see gradcheck/variants/expectations.py"
        )
    return rules[0]
