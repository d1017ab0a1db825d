"""Why a verdict was given, as a key and not as a sentence: what advice, tests and other programs go by.

The sentences are made in `gradcheck.rendering`; what to do about each reason stands in `gradcheck.rendering.hints`.
"""

from __future__ import annotations

import enum

__all__ = ["Reason"]


class Reason(enum.Enum):
    """Why a verdict was given. The values are those of JSON files."""

    # The gradient is not the slope.
    WRONG_ENTRY = "wrong entry"
    ZERO_ENTRY = "zero entry"
    PATH_CUT = "path cut"
    ZEROS_PASSED_BACK = "zeros passed back"
    NOT_LINEAR = "not linear"
    TIE = "tie"
    LOW_PRECISION = "low precision"
    EMPTY_OUTPUT = "empty output"
    COMPILED_ALONE = "compiled alone"

    # There is no one slope, or it is not known well enough.
    CORNER = "corner"
    JUMP = "jump"
    DIGITS_LOST = "digits lost"
    NOT_MEASURED = "not measured well enough"

    # The formula is right, and the number is not.
    INACCURATE = "inaccurate number"

    # Numbers that are none.
    OUTPUT_NOT_FINITE = "output not finite"
    GRADIENT_NOT_FINITE = "gradient not finite"
    OVERFLOW = "overflow"

    # Other results than elsewhere.
    OTHER_OUTPUT = "other output"
    EAGER_RAISES = "eager mode raises"
    SEEDED = "drawn from a seed"
    DRAWN = "drawn at random"
    STATE_KEPT = "state kept"
    INVARIANT = "invariant"
    BUILT_ON = "built on another batch"
    CALLED_BEFORE = "called before"

    # What the subject raises.
    RAISED = "raised"
    FORWARD_RUNS = "forward pass runs"
    OF_THE_CODE = "error of the code"
    READ_TWICE = "tensor array read twice"
    INDICES = "indices of two dtypes"
    GRADIENT_SHAPE = "shape of a gradient"
    GRADIENT_DTYPE = "dtype of a gradient"
    GRADIENT_COUNT = "number of gradients"
    NO_GRADIENT = "operation without a gradient"
    NO_KERNEL = "operation without a kernel"
    SINGULAR = "singular matrix"
    FLOAT_DTYPES = "two floating-point dtypes"
    OTHER_DTYPES = "two dtypes"
    OUR_OWN = "error of gradcheck"

    # The process died.
    HUNG = "hung"
    OUT_OF_MEMORY = "out of memory"
    DIED = "died"

    @classmethod
    def named(cls, value: str) -> Reason | None:
        """The reason of a JSON file; None for one that this version does not know."""
        try:
            return cls(value)
        except ValueError:
            return None
