"""Three claims in wide circulation about variable-length layers, measured on the TensorFlow that runs.

Measured with plain TensorFlow, without the harness: forward and gradient, in every mode, on batches whose
right result is known in closed form (position-weighted pooling is linear, and tanh has a derivative that
everyone knows), so that nothing here depends on numerical differentiation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.variants.catalog import CONSTRUCTS, Variant

__all__ = ["CLAIMS", "SETTINGS", "Claim", "ClaimResult", "Observation", "measure_claims"]

# "xla, tape outside" is a compiled forward pass inside an uncompiled tape, as one gets by putting
# jit_compile=True on a layer's call instead of on the train step.
SETTINGS = ("eager", "graph", "dynamic", "xla", "xla, tape outside")
_BATCHES = {"equal": (2, 2), "unequal": (3, 1)}
_TIME, _FEATURES = 3, 2
# float64 rounding of a handful of operations on numbers below 1.
_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Observation:
    """What one variant did in one setting, on equal or on unequal lengths.

    Attributes:
        variant: name of the variant.
        setting: one of `SETTINGS`.
        lengths: the lengths of the batch.
        forward: ``right``, ``wrong`` or ``raises``.
        gradient: ``right``, ``wrong``, ``none``, ``raises``; ``not reached`` where the forward pass raises.
        message: first telling line of the error, or the largest deviation; empty where all is right.
    """

    variant: str
    setting: str
    lengths: tuple[int, ...]
    forward: str
    gradient: str
    message: str = ""

    @property
    def equal(self) -> bool:
        """Whether all lengths are the same."""
        return len(set(self.lengths)) == 1

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {
            "variant": self.variant,
            "setting": self.setting,
            "lengths": list(self.lengths),
            "forward": self.forward,
            "gradient": self.gradient,
            "message": self.message,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Observation:
        """Inverse of `to_dict`."""
        return cls(**{**data, "lengths": tuple(data["lengths"])})


@dataclass(frozen=True)
class Claim:
    """A claim, the constructs it speaks of, and how it is judged from what was observed.

    ``judge`` returns how far it holds (``holds``, ``holds in part``, ``does not hold``), and what was
    measured in a sentence.
    """

    letter: str
    text: str
    constructs: tuple[str, ...]
    judge: Callable[[Sequence[Observation]], tuple[str, str]]


@dataclass(frozen=True)
class ClaimResult:
    """A claim with what was measured on one TensorFlow.

    ``holds`` is ``holds``, ``holds in part`` or ``does not hold``; ``measured`` says in a sentence what
    was seen.
    """

    letter: str
    text: str
    holds: str
    measured: str
    observations: tuple[Observation, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {
            "letter": self.letter,
            "text": self.text,
            "holds": self.holds,
            "measured": self.measured,
            "observations": [observation.to_dict() for observation in self.observations],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ClaimResult:
        """Inverse of `to_dict`."""
        return cls(**{**data, "observations": tuple(map(Observation.from_dict, data["observations"]))})

    def __str__(self) -> str:
        return f"({self.letter}) {self.text}\n    {self.holds.capitalize()}: {self.measured}."


def _everywhere_right(observations: Iterable[Observation]) -> list[Observation]:
    """Those of settings in which every observation is right, forward and gradient."""
    listed = list(observations)
    failing = {o.setting for o in listed if (o.forward, o.gradient) != ("right", "right")}
    return [o for o in listed if o.setting not in failing]


def _where(observations: Iterable[Observation]) -> str:
    """The settings of observations in words."""
    met = {observation.setting for observation in observations}
    names = [name for name in SETTINGS if name in met]
    if not names:
        return "nowhere"
    quoted = [f"'{name}'" if "," in name else name for name in names]
    return "in " + (quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1])


def _judge_map_fn(observations: Sequence[Observation]) -> tuple[str, str]:
    """(a): on lengths that differ the forward pass works, and the gradient does not."""
    unequal = [o for o in observations if not o.equal]
    works = [o for o in unequal if o.forward == "right"]
    as_claimed = [o for o in works if o.gradient != "right"]
    raises = [o for o in unequal if o.forward == "raises"]
    fine = _everywhere_right(o for o in observations if o.equal)
    text = (
        f"on unequal lengths the forward pass itself raises {_where(raises)} and is right "
        f"{_where(works)}; on equal lengths forward and gradient are both right {_where(fine)}"
    )
    wrong = [o for o in unequal if o.forward == "wrong"]
    if wrong:
        names = " and ".join(sorted({o.variant for o in wrong}))
        text += f"; {names} gives wrong numbers without any error {_where(wrong)}"
    only_gradient = [o for o in observations if o.equal and o.forward == "right" and o.gradient != "right"]
    if only_gradient:
        text += f"; a right forward pass without a gradient is met on equal lengths {_where(only_gradient)} only"
    if as_claimed:
        return ("holds" if len(as_claimed) == len(unequal) else "holds in part"), text
    return "does not hold", text


def _judge_padding(observations: Sequence[Observation]) -> tuple[str, str]:
    """(b): padding inside the mapped function leaves the gradient wrong or missing."""
    cured = _everywhere_right(o for o in observations if not o.equal)
    early = [o for o in observations if o.forward != "right"]
    late = [o for o in observations if o.forward == "right" and o.gradient != "right"]
    text = (
        f"on unequal lengths forward and gradient are both right {_where(cured)}; the forward pass already "
        f"fails {_where(early)}; the forward pass works and the gradient fails {_where(late)}"
    )
    if not cured:
        return "holds", text
    return ("holds in part" if late else "does not hold"), text


def _judge_everywhere(observations: Sequence[Observation]) -> tuple[str, str]:
    """(c) and the remedy: forward and gradient are right on unequal lengths."""
    right = _everywhere_right(o for o in observations if not o.equal)
    failing = [o for o in observations if o.forward != "right" or o.gradient != "right"]
    text = f"on unequal lengths forward and gradient are both right {_where(right)}"
    if not failing:
        return "holds", text
    early = [o for o in failing if o.forward != "right"]
    late = [o for o in failing if o.forward == "right"]
    text += f"; the forward pass fails {_where(early)}"
    if late:
        text += f"; the gradient alone fails {_where(late)}"
    return ("holds in part" if right else "does not hold"), text


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "a",
        "With tf.map_fn(tf.range, lengths) the forward pass works and only its gradient fails.",
        ("map_fn_range", "map_fn_rows"),
        _judge_map_fn,
    ),
    Claim(
        "b",
        "Padding inside the mapped function does not cure the gradient.",
        ("map_fn_padded_range", "map_fn_padded_rows"),
        _judge_padding,
    ),
    Claim(
        "c",
        "A tf.while_loop with a TensorArray does cure it.",
        ("while_loop_tensor_array", "while_loop_rows"),
        _judge_everywhere,
    ),
    # Not in circulation, but what the page recommends: it is held to the same measurement, and it shows
    # that the measurement can come out right in every setting.
    Claim(
        "instead",
        "Comparing one static range with the lengths works everywhere.",
        ("broadcast_range", "broadcast_rows"),
        _judge_everywhere,
    ),
)


def measure_claims() -> tuple[ClaimResult, ...]:
    """Measure all claims on the installed TensorFlow; takes a few seconds.

    Raises:
        MissingTensorFlowError: where TensorFlow is not installed.
    """
    from gradcheck._tensorflow import tensorflow

    tf = tensorflow()
    results = []
    for claim in CLAIMS:
        variants = [Variant(c, "pooling") for c in CONSTRUCTS if c.name in claim.constructs]
        observations = tuple(
            observation
            for variant in variants
            for setting in SETTINGS
            for observation in _observe(tf, variant, setting)
        )
        holds, measured = claim.judge(observations)
        results.append(ClaimResult(claim.letter, claim.text, holds, measured, observations))
    return tuple(results)


def _closed_form(values: Any, lengths: Sequence[int], through: bool) -> tuple[Any, Any]:
    """Position-weighted pooling of ``values`` (of their tanh, in family two), and the gradient of its sum."""
    steps = np.arange(values.shape[1])
    weights = np.where(steps < np.array(lengths)[:, None], steps + 1, 0)[..., np.newaxis]
    weights = weights / weights.sum(axis=1, keepdims=True)
    moved = np.tanh(values) if through else values
    slope = 1 - moved**2 if through else np.ones_like(values)
    return (weights * moved).sum(axis=1), weights * slope


def _observe(tf: Any, variant: Variant, setting: str) -> Iterator[Observation]:
    """Run one variant in one setting on every batch, first forward alone and then with its gradient."""
    subject = variant.subject

    def forward(values: Any, lengths: Any) -> Any:
        return subject(values, lengths)

    def backward(values: Any, lengths: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(values)
            result = recorded(values, lengths)
        return tape.gradient(result, values)

    signature = [tf.TensorSpec([None, None, _FEATURES], tf.float64), tf.TensorSpec([None], tf.int32)]
    compilers: dict[str, Callable[[Any], Any]] = {
        "eager": lambda function: function,
        "graph": tf.function,
        "dynamic": lambda function: tf.function(function, input_signature=signature),
        "xla": lambda function: tf.function(function, jit_compile=True),
    }
    compiled = compilers[setting.partition(",")[0]]
    compiled_forward = compiled(forward)
    # The tape is either compiled together with what it records, or stands outside and records a compiled
    # function.
    outside = setting.endswith("tape outside")
    recorded = compiled_forward if outside else forward
    compiled_backward = backward if outside else compiled(backward)

    for lengths in _BATCHES.values():
        values = np.random.default_rng(0).uniform(-1, 1, (len(lengths), _TIME, _FEATURES))
        output, gradient = _closed_form(values, lengths, variant.family == "through")
        arguments = tf.constant(values), tf.constant(lengths, tf.int32)
        found, message = _judge_run(compiled_forward, arguments, output)
        if found == "raises":
            yield Observation(variant.name, setting, lengths, found, "not reached", message)
            continue
        slope, slope_message = _judge_run(compiled_backward, arguments, gradient)
        yield Observation(variant.name, setting, lengths, found, slope, message or slope_message)


def _judge_run(function: Callable[..., Any], arguments: tuple[Any, ...], right: Any) -> tuple[str, str]:
    """``right``, ``wrong``, ``none`` or ``raises``, and what to say about it."""
    try:
        result = function(*arguments)
    except Exception as error:  # whatever TensorFlow raises is what is measured here
        return "raises", first_telling_line(str(error))
    if result is None:
        return "none", "the gradient is None"
    deviation = float(np.max(np.abs(np.asarray(result) - right)))
    return ("right", "") if deviation <= _TOLERANCE else ("wrong", f"off by {deviation:.2g}")


# What names the trouble in TensorFlow's long messages, the most telling first.
_TELLING = (
    r"must be a compile-time constant",
    r"No registered '\w+' OpKernel for \w+",
    r"Incompatible shape",
    r"fixed tensor list size",
    r"Fail to proof",
    r"TensorList crossing",
    r"Tried to stack",
)


def first_telling_line(message: str) -> str:
    """The line of an error message of TensorFlow that says what is wrong, without names of generated
    nodes.
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    for pattern in _TELLING:
        for line in lines:
            found = re.search(pattern, line)
            if found and "OpKernel" in pattern:
                return found.group()
            if found:
                line = re.sub(r"\{\{.*?\}\}\s*", "", line)
                line = re.sub(r"\s*\[Op:.*", "", line)
                line = re.sub(r": %.*", "", line)
                return line if len(line) <= 200 else line[:199] + "…"
    return lines[0][:200] if lines else "an error without a message"
