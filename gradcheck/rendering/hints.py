"""What a verdict means and what to do next: the cause that is most often behind it and a first step, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.invariants.names import BY_DEFAULT, INVARIANTS
from gradcheck.records.reasons import Reason
from gradcheck.verdicts import Verdict

__all__ = ["HINTS", "hint", "meaning"]


_SOME_MODES = (
    "If only some modes fail, look for what the code itself does otherwise there (tf.executing_eagerly, Python side "
    "effects); else TensorFlow is to blame: replace the operation and check again."
)

HINTS = {
    Verdict.MISMATCH: (
        "Look at what computes this output from this input: a tf.custom_gradient whose formula is wrong, a "
        "tf.stop_gradient on a part of the way, a mask that is applied in the forward pass only, or an integer index "
        f"that ought to depend on the input. {_SOME_MODES}"
    ),
    Verdict.DISCONNECTED: (
        "Look for what cuts the path: tf.stop_gradient, a cast to an integer, tf.argmax or tf.round, .numpy(), "
        "tf.numpy_function, or a gradient function that returns None."
    ),
    Verdict.NONFINITE: (
        "Usually 0/0, log(0), sqrt(0) or 0*inf, typically in a row of length 0. Make the argument safe before the "
        "operation (tf.math.divide_no_nan, or tf.where on the input): a tf.where on the result does not help, "
        "because the gradient still multiplies 0 by NaN."
    ),
    Verdict.DISAGREEMENT: (
        "The code is usually right in eager mode and executed differently here: Python side effects, tensors "
        "captured as constants, or a fault of the compiler. The script below is what a TensorFlow issue needs."
    ),
    Verdict.PADDING_LEAK: (
        "Mask the padded steps wherever they meet valid ones (sums, means, softmax, convolutions, reversed "
        "recurrences), and divide by the lengths, not by the size of the time axis."
    ),
    Verdict.NONDETERMINISTIC: (
        "The result depends on something besides the inputs. If that is random, fix it: a stateless random operation "
        "with a seed (tf.random.stateless_uniform), dropout with training=False. Otherwise look for state that a call "
        "changes and the next one reads: a counter, a list, a cache, a variable."
    ),
    Verdict.ERROR: (
        "If such a batch is real data, handle it: rows of length 0, a single row and a single step are the usual "
        "ones. If it can never occur, restrict what is drawn (min_length, max_length, min_value, ...)."
    ),
    Verdict.CRASH: (
        "Where the subject is TensorFlow and nothing else, a crash is TensorFlow's fault, whatever the input: guard "
        "against such batches, and report it. The process may have died in one of the calls that compare the batch "
        "with others: with more padding, with other numbers in it, a row alone."
    ),
    Verdict.UNSUPPORTED: (
        "If nobody runs it in this mode, leave the mode out (modes=...) or expect it "
        '(expect={"MODE": "UNSUPPORTED"}). Otherwise replace the operation named above.'
    ),
    Verdict.INACCURATE: (
        "Write what the operation named above computes so that no digits cancel: 1 - tanh(x)² as 1 / cosh(x)², "
        "1 - sigmoid(x) as sigmoid(-x), log(1 + x) as log1p(x). If such inputs never occur, restrict what is drawn "
        "(min_value, max_value)."
    ),
    Verdict.KINK: "Nothing needs to be done. For smooth inputs only, draw values away from the corner.",
    Verdict.UNRESOLVED: (
        "Rounding is in the way: of float32 or less inside (compute in float64 if the subject allows it), or of "
        "numbers that cancel. Most inputs of ordinary size, around 1, are decided."
    ),
    Verdict.PASS: "Nothing needs to be done.",
}


_PROMISE = (
    "Look for what mixes rows or takes account of their place: a sum, mean or maximum over the batch axis, a "
    "normalisation over the batch, the length of the longest row, another way for a mask that is all true. "
    "If that is what the subject is for, do not ask for this invariant."
)

_GRADIENT_SHAPE = (
    "A backward function (that of a tf.custom_gradient) must return, for each of its inputs, a gradient of that "
    "input's shape. Where the input was broadcast in the forward pass, sum over the axes along which it was "
    "(tf.reduce_sum); where it was reshaped or reduced, shape the gradient back (tf.reshape, tf.broadcast_to)."
)
_GRADIENT_DTYPE = (
    "A backward function (that of a tf.custom_gradient) must return, for each of its inputs, a gradient of that "
    "input's dtype: tf.cast(gradient, x.dtype), and constants made with dtype=x.dtype."
)
_GRADIENT_COUNT = (
    "A backward function (that of a tf.custom_gradient) must return one gradient for each argument of the function, "
    "None for one that has none, and behind them a list with those of the variables that it reads."
)
_FLOAT_DTYPES = (
    "TensorFlow does not convert dtypes by itself. Let the subject's constants follow its input: tf.cast(..., "
    "values.dtype), or dtype=values.dtype where they are made. If it computes in one dtype only, give it that: "
    "dtype=... of the strategy, or arrays of it. (float32 was tried where float64 was given.)"
)
_OTHER_DTYPES = (
    "TensorFlow does not convert dtypes by itself. Cast one of the two, such as numbers that were counted or compared: "
    "tf.cast(..., values.dtype)."
)

_NO_GRADIENT = (
    "No batch helps: TensorFlow knows no gradient of this operation. Use one that has a gradient, give it one "
    "(tf.custom_gradient), or, if nothing is to be learned through it, say so with tf.stop_gradient."
)
_NO_KERNEL = (
    "No batch helps: TensorFlow cannot do this on this device in this mode. Use other settings of the operation or "
    'another operation, or expect it (expect={"MODE": "ERROR"}).'
)
_READ_TWICE = (
    "A tf.TensorArray forgets an element once it was read: keep what was read, or make it with clear_after_read=False."
)
_INDICES = (
    "TensorFlow's own gradient adds int32 to int64 here, as that of tf.math.top_k with index_type=tf.int64 does. Ask "
    "for int32 indices, and cast them (tf.cast) where int64 is needed."
)
_EAGER_RAISES = (
    "Look at the error that eager mode raises: this mode leaves out the check behind it, and may return wrong results."
)
_OVERFLOW = (
    "Take a number that the dtype holds, such as values.dtype.min / 2 in place of -1e9, or compute this part in "
    "float32 (tf.cast)."
)
_SINGULAR = (
    "The matrix has no inverse on this batch. If such a batch is real data, make it regular (add a small multiple of "
    "the identity); if it can never occur, restrict what is drawn (min_value, max_value, strategies.values)."
)

_WRONG_ZEROS = (
    "Look at the gradients on the way, first at those that somebody wrote (tf.custom_gradient). The usual reasons are "
    "a formula that is wrong where the input is 0, a sum over repeated indices that was forgotten (tf.gather, a "
    "scatter that overwrites), and a tf.where, relu or mask that acts in the backward pass only."
)
_ZERO_HERE = (
    "Outside of loops and branches nothing in the code cuts the way off (no tf.stop_gradient, no cast to an integer "
    "was found). "
    f"{_WRONG_ZEROS} {_SOME_MODES}"
)
_ZERO_ENTRIES = (
    f"The path is there: other entries of the same input do get a gradient. {_WRONG_ZEROS} Or a part of the input is "
    f"cut off (tf.stop_gradient, a cast to an integer). {_SOME_MODES}"
)
_LINEAR = (
    "The gradient of several outputs together has to be the sum of their own gradients, each times what is passed back "
    "to it. Here it is another one, although every gradient by itself agrees with the slope."
)
_CHANGED_ON_ITS_WAY = (
    "Look for what changes a gradient on its way back, in a tf.custom_gradient: tf.clip_by_value, tf.clip_by_norm, "
    "tf.sign, a division by its norm, a threshold. It makes training depend on the scale of the loss. If that is what "
    'it is for, expect it (expect={"MODE": "MISMATCH"}), or clip in the optimizer instead.'
)
_FUSED = (
    "XLA computes this call another way than the same one in a loop, and wrongly. Put forward and gradient into one "
    "tf.function with jit_compile=True and compare it with eager mode on this batch: that is what a TensorFlow issue "
    "needs. To go round it, replace the operation that is off (masks by tf.where in place of a large number added)."
)
_PRECISION = (
    "In float64 the gradient is right, so look for what the low precision alone does: sums and products of many terms "
    "in few bits (accumulate in float32), a backward function that casts or that is another one for this dtype, "
    "constants below what the type holds. Compute that part in float32 (tf.cast), or allow for it (rtol=...)."
)
_TIE = (
    "Where several inputs are equal, as in a maximum, a sort or top_k, the gradient has to be shared out among them, "
    "so that together they get what moving them together does: 1 in all for a maximum, not 1 each. Look at what counts "
    "or selects equal numbers (a mask that compares with the maximum, a gather by indices, a tf.custom_gradient), "
    "and, if the gradient is off where nothing is equal too, at the rest of the formula. The numerical Jacobian shows "
    "central differences, input by input; at a corner those lie between the slopes of the two sides."
)
_DRAWN = (
    "Fix the randomness: a stateless random operation with a seed (tf.random.stateless_uniform), dropout with "
    "training=False. Or draw outside of the subject, and give it what was drawn as an argument."
)
_SEEDED = (
    "TensorFlow draws stateless random numbers by an algorithm of the device's choice, and XLA's choice is another one "
    'from 2.13 on. Say which (alg="philox", rng_alg="philox"), or draw outside of the subject and give it what was '
    "drawn as an argument; dropout with training=False."
)
_KEPT = (
    "Look for state that a call changes and the next one reads (a counter, a list, a cache, an attribute, a variable), "
    "and for numbers from random or numpy.random. Give them to the subject as arguments, or set them back in each call."
)

_HUNG = (
    "Look for a loop that does not end on such a batch: its condition never becomes false, or a queue is waited for. "
    "If it is only slow, allow it more time: --batch-seconds."
)
_MEMORY = (
    "Look for what grows with the batch, or with every call: sizes made from values, a list that is kept. If it needs "
    "that much, allow it: --memory."
)

_KEPT_OF_A_BATCH = (
    "Look for what `build` or the first call keeps of a batch: its length, its number of rows, a size made from them. "
    "Take such sizes from the input of each call (tf.shape), or give them to the constructor."
)

_NO_TRAINING = "This mode computes the outputs and not their gradient: a model can predict in it, and not be trained."

# Where the reason says more than the verdict. A reason without words gets no advice: none is better than one that does
# not fit.
_BY_REASON: dict[Verdict, dict[Reason, str]] = {
    Verdict.ERROR: {
        Reason.READ_TWICE: _READ_TWICE,
        Reason.INDICES: _INDICES,
        Reason.GRADIENT_SHAPE: _GRADIENT_SHAPE,
        Reason.GRADIENT_DTYPE: _GRADIENT_DTYPE,
        Reason.GRADIENT_COUNT: _GRADIENT_COUNT,
        Reason.NO_GRADIENT: _NO_GRADIENT,
        Reason.NO_KERNEL: _NO_KERNEL,
        Reason.SINGULAR: _SINGULAR,
        Reason.FLOAT_DTYPES: _FLOAT_DTYPES,
        Reason.OTHER_DTYPES: _OTHER_DTYPES,
        Reason.OF_THE_CODE: "",
        Reason.FORWARD_RUNS: "",
    },
    Verdict.DISCONNECTED: {Reason.ZEROS_PASSED_BACK: _ZERO_HERE},
    Verdict.MISMATCH: {
        Reason.COMPILED_ALONE: _FUSED,
        Reason.NOT_LINEAR: _CHANGED_ON_ITS_WAY,
        Reason.TIE: _TIE,
        Reason.LOW_PRECISION: _PRECISION,
        Reason.ZERO_ENTRY: _ZERO_ENTRIES,
    },
    Verdict.NONFINITE: {Reason.OVERFLOW: _OVERFLOW},
    Verdict.DISAGREEMENT: {
        Reason.EAGER_RAISES: _EAGER_RAISES,
        Reason.SEEDED: _SEEDED,
        Reason.COMPILED_ALONE: _FUSED,
    },
    Verdict.CRASH: {Reason.HUNG: _HUNG, Reason.OUT_OF_MEMORY: _MEMORY},
    Verdict.NONDETERMINISTIC: {Reason.DRAWN: _DRAWN, Reason.STATE_KEPT: _KEPT},
    Verdict.UNSUPPORTED: {
        Reason.FORWARD_RUNS: HINTS[Verdict.UNSUPPORTED].replace("nobody runs it", "nobody trains it"),
    },
}


def _promised(verdict: Verdict, rule: str) -> bool:
    """Whether a leak is of an invariant that was asked for, and need have nothing to do with padding."""
    return verdict is Verdict.PADDING_LEAK and rule in INVARIANTS and rule not in BY_DEFAULT


def meaning(verdict: Verdict, rule: str, reasons: Sequence[Reason] = ()) -> str:
    """What a verdict means, where ``rule`` is the invariant that was violated, if one was."""
    if verdict is Verdict.MISMATCH and Reason.NOT_LINEAR in reasons:
        return _LINEAR
    if verdict in (Verdict.UNSUPPORTED, Verdict.ERROR) and Reason.FORWARD_RUNS in reasons:
        return _NO_TRAINING
    if _promised(verdict, rule):
        return f"The subject does not keep the invariant {rule}, which was asked for: {INVARIANTS[rule]}."
    return verdict.meaning


def hint(verdict: Verdict, mode: str, rule: str, reasons: Sequence[Reason] = ()) -> str:
    """The hint for a verdict, by the first reason that says more than it does, with the mode filled in."""
    if Reason.BUILT_ON in reasons or Reason.CALLED_BEFORE in reasons:
        return _KEPT_OF_A_BATCH
    if _promised(verdict, rule):
        return _PROMISE
    table = _BY_REASON.get(verdict, {})
    words = next((table[reason] for reason in reasons if reason in table), HINTS[verdict])
    return words.replace("MODE", mode)
