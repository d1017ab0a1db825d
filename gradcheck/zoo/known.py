"""What is known to fail in the zoo: on which versions, why, what it means for a user, and the way round it.

Nothing stands here that was not looked at by hand: each finding has a script in ``docs/findings`` that shows it with
plain TensorFlow and NumPy, without gradcheck. A finding that is no longer met is a deviation, as a new failure is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gradcheck.mode_names import MODES
from gradcheck.releases.table import minor_of
from gradcheck.verdicts import Verdict

__all__ = ["KNOWN", "Known", "Where", "known_for"]

_NOT_XLA = ("eager", "graph", "dynamic")


@dataclass(frozen=True)
class Where:
    """Some subjects, in some modes, on some versions, that come to one of some verdicts.

    Attributes:
        subjects: names of subjects, such as ``"pooling/global_average"``.
        modes: modes it is met in.
        verdicts: what a search comes to; several where the batches drawn decide which comes first.
        since: first TensorFlow minor release it is met on.
        before: first one it is met on no longer; None for "up to now".
        keras: the Keras generations it is met with.
    """

    subjects: tuple[str, ...]
    modes: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    since: tuple[int, int] = (2, 8)
    before: tuple[int, int] | None = None
    keras: tuple[int, ...] = (2, 3)

    def holds(self, subject: str, mode: str, tensorflow: str, keras: str) -> bool:
        """Whether it speaks of this subject in this mode under these versions."""
        version = minor_of(tensorflow)
        return (
            subject in self.subjects
            and mode in self.modes
            and self.since <= version
            and (self.before is None or version < self.before)
            and int(keras.split(".")[0]) in self.keras
        )


@dataclass(frozen=True)
class Known:
    """A finding, or a limit of TensorFlow that is none.

    Attributes:
        key: names it, and the script that shows it in plain TensorFlow: ``docs/findings/<key>.py``.
        title: what happens, in one line.
        where: where it is met.
        owner: whose it is: ``"TensorFlow"``, ``"XLA"`` or ``"Keras"``.
        meaning: what it means for somebody who uses it.
        instead: the way round it.
        is_limit: whether it is what TensorFlow says it cannot do, loudly, and not a wrong result.
    """

    key: str
    title: str
    where: tuple[Where, ...]
    owner: str
    meaning: str
    instead: str
    is_limit: bool = False

    @property
    def all_verdicts(self) -> frozenset[Verdict]:
        """Every verdict that it shows in, anywhere."""
        return frozenset(verdict for where in self.where for verdict in where.verdicts)

    def verdicts(self, subject: str, mode: str, tensorflow: str, keras: str) -> tuple[Verdict, ...]:
        """The verdicts that it explains; empty where it does not speak of this."""
        met = (where.verdicts for where in self.where if where.holds(subject, mode, tensorflow, keras))
        return tuple(dict.fromkeys(verdict for verdicts in met for verdict in verdicts))


_M = Verdict.MISMATCH
_D = Verdict.DISAGREEMENT
_N = Verdict.NONFINITE
_L = Verdict.PADDING_LEAK
_U = Verdict.UNSUPPORTED

KNOWN: tuple[Known, ...] = (
    Known(
        key="added_mask_softmax_xla",
        title="A mask added as (1 - mask) * -1e9 and broadcast drowns float32 scores under XLA: attention is uniform",
        where=(
            Where(
                ("attention/softmax_float32", "attention/softmax_heads", "attention/multi_head_attention_float32"),
                ("xla",),
                (_M, _D, _L),
                before=(2, 9),
            ),
        ),
        owner="XLA",
        meaning="XLA of 2.8 takes `scores + (1 - mask) * -1e9` apart inside a softmax, and a score of 1 beside 1e9 "
        "is nothing in float32. It does so where the mask has an axis of size 1 before its last: one that is "
        "broadcast over heads or queries, as in `MultiHeadAttention`, or a batch of one; a mask with sizes above 1, "
        "those of the scores, is right. Every step that the mask lets through gets the same weight, an all-true mask "
        "included: the layer averages instead of attending, without an error, and its gradient belongs to another "
        'function. So it is with Keras\'s `Softmax` and `MultiHeadAttention`, the latter with `dtype="float64"` '
        "too, because the softmax inside computes in `tf.keras.backend.floatx()`, and with everybody's own attention "
        "that masks so.",
        instead="`tf.where(mask, scores, -1e9)` instead of the sum; `tf.keras.layers.Attention` is right.",
    ),
    Known(
        key="average_pooling_empty_row",
        title="GlobalAveragePooling1D gives NaN for a row without a valid step",
        where=(Where(("pooling/global_average",), MODES, (_N,)),),
        owner="Keras",
        meaning="The sum over no steps is divided by their number. One empty row in a batch, an empty text say, makes "
        "the loss NaN; with Keras 2 the gradient of every weight before it, too.",
        instead="Drop empty rows, or pool with `tf.math.divide_no_nan(tf.reduce_sum(x * mask, 1), tf.reduce_sum(mask, "
        "1))`, `mask` being numbers `[batch, time, 1]`.",
    ),
    Known(
        key="time_distributed_unknown_time",
        title="TimeDistributed of Keras 3 gives the wrong number of steps where the time is unknown",
        where=(
            Where(("masks/time_distributed_dense",), ("dynamic",), (Verdict.ERROR, _D, _M, _L), (2, 16), keras=(3,)),
        ),
        owner="Keras",
        meaning="In a `tf.function` that was traced with an unknown time axis the layer runs over as many steps as "
        "the batch has rows, whether the batch is known (`[2, None, 2]`) or not (`[None, None, 2]`). Outputs have "
        "the wrong number of steps, without an error as long as nothing behind it minds; where the sizes do not fit, "
        "the gradient raises.",
        instead="Fix the time in the signature (`[None, 5, 2]`); fixing the batch does not help. Or leave the layer "
        "away: `Dense` and most others act on the last axis anyway.",
    ),
    Known(
        key="cut_row_gradient_xla",
        title="tf.map_fn over rows cut to their length has wrong gradients under XLA",
        where=(
            Where(("loops/map_fn_cut_rows",), ("xla",), (_M, _L, _D)),
            # Where it no longer ends the process, the gradient of a batch of one step is refused.
            Where(("loops/map_fn_cut_rows",), ("xla",), (_U,), (2, 11), (2, 15)),
        ),
        owner="XLA",
        meaning="Each row is cut inside the mapped function (`row[:length]`) and reduced. The result is right where "
        "there are several steps; the gradient is one of other steps, as if every row had the length of the last: "
        "padding gets some, or valid steps get none. Training goes on. So it is with batches of several steps, on "
        "every version. A batch of one step is not silent everywhere: up to 2.10 one of one row ends the process, as "
        "below, and from 2.11 to 2.14 its gradient is refused; which is what the search met there. From 2.15 on it "
        "met the wrong gradient.",
        instead="Multiply by a mask inside the mapped function instead of cutting, or do without the loop.",
    ),
    Known(
        key="map_fn_stacked_rows_xla",
        title="tf.map_fn gives every row the length of the last one under XLA, where other modes raise",
        where=(
            Where(
                ("loops/map_fn_stacked_cut_rows",),
                ("xla",),
                (_D, _L, _M, Verdict.ERROR, Verdict.DISCONNECTED),
            ),
            # The gradient of a batch of one step is refused.
            Where(("loops/map_fn_stacked_cut_rows",), ("xla",), (_U,), before=(2, 15)),
        ),
        owner="XLA",
        meaning="Rows of different length cannot be stacked, and eager mode and graphs say so. XLA stacks them: rows "
        "are cut or stretched to the length of the last one, without an error, and the gradient is that of the wrong "
        "rows. A batch of one step is another matter up to 2.14: its gradient is refused, which is what the search "
        "met there, or the process ends, as below.",
        instead="Pad each row inside the mapped function to a length that is known when the program is compiled, or "
        "mask.",
    ),
    Known(
        key="gru_cell_two_by_two_xla",
        title="GRUCell of two units on two rows: wrong gradients under XLA in 2.16",
        where=(Where(("recurrent/gru_cell",), ("xla",), (_M,), (2, 16), (2, 17), keras=(3,)),),
        owner="XLA",
        meaning="Where a reshape between a vector and the outputs' shape is compiled with the cell, gradients of the "
        "recurrent weights, of the bias and of the state are wrong, in float64 and in float32, without an error: "
        "`tf.reshape(outputs, [-1]) * w`, `outputs * tf.reshape(w, [2, 2])`, `(outputs - tf.reshape(w, [2, 2])) ** "
        "2`. Which of them are depends on the processor: on one all three were, on another (an AMD EPYC with AVX2 and "
        "without AVX-512) the last only. Sums of the outputs or of their squares, and weights that are a matrix "
        "already, came out right. Met with two rows and two units only: two by three, three by two, four by four and "
        "eight by sixteen came out right.",
        instead="Upgrade to 2.17, or pad the batch to three rows.",
    ),
    Known(
        key="map_fn_one_row_crash_xla",
        title="tf.map_fn over one row of one step, cut and padded again, ends the process under XLA",
        where=(
            Where(
                ("loops/map_fn_cut_rows", "loops/map_fn_stacked_cut_rows"), ("xla",), (Verdict.CRASH,), before=(2, 11)
            ),
        ),
        owner="XLA",
        meaning="Compiling the program for a batch of one row and one step does not raise: the whole process dies. "
        "Up to 2.10 a sum over the rows, cut and padded, is enough; from 2.11 to 2.14 it takes a loop over their "
        "steps, and the sum itself compiles and is 0 where it should be tanh(1). Met by `gradcheck variants` (every "
        "layer over `map_fn_rows` up to 2.10, the recurrence up to 2.14) and by `loops/map_fn_cut_rows` (up to 2.10).",
        instead="As above: no cut rows under XLA.",
    ),
    Known(
        key="crossentropy_of_probabilities",
        title="Keras's cross entropies of tf.nn.softmax have no gradient in eager mode, and the right one in a graph, "
        "where a model is sure and wrong",
        where=(Where(("losses/categorical_crossentropy_saturated",), ("graph", "dynamic", "xla"), (_D,)),),
        owner="Keras",
        meaning="`categorical_crossentropy`, `sparse_categorical_crossentropy` and `binary_crossentropy` of "
        "probabilities clip these to 1e-7 … 1 - 1e-7, beyond which the loss is 16 and its gradient 0. In a graph they "
        "look for the softmax or the sigmoid that made the probabilities, and compute with what went into it, without "
        "a clip. In eager mode they know it of Keras's own activations only (and of the layer `Softmax` from 2.14 on), "
        "not of `tf.nn.softmax` and `tf.sigmoid`. So a model that ends with those trains out of a confident mistake "
        "under `model.fit`, and stays in it with `run_eagerly=True` or in a loop without `tf.function`. Where "
        "something stands between, a `tf.where` or a renormalisation, no mode finds the softmax, and all are stuck.",
        instead="`from_logits=True`, and a model that ends with the logits.",
    ),
    Known(
        key="cumprod_at_zero",
        title="tf.math.cumprod has a gradient of 0 at an input that is 0",
        where=(Where(("ordering/cumprod",), MODES, (Verdict.DISCONNECTED, _M)),),
        owner="TensorFlow",
        meaning="The gradient is computed by dividing by the input, and where that is 0 it is set to 0, which is "
        "right for no product whose other factors are not 0. A running product of masks or of 1 − p, with a "
        "factor of exactly 0, does not learn from it.",
        instead="`tf.math.exp(tf.cumsum(tf.math.log(x)))` for positive numbers; `tf.scan` with a product otherwise. "
        "`tf.reduce_prod` is right.",
    ),
    Known(
        key="xlogy_at_zero",
        title="tf.math.xlogy, xlog1py and xdivy have a gradient of 0 where their first argument is 0",
        where=(Where(("ordering/xdivy",), MODES, (Verdict.DISCONNECTED, _M)),),
        owner="TensorFlow",
        meaning="`xlogy(x, y)` is x·log(y), with a slope of log(y) in x wherever x is; at an x of exactly 0 the "
        "gradient is set to 0 whatever y is, not only where the logarithm is infinite. So are those of `xlog1py` and "
        "`xdivy`. So in `xlogy(weight, p)` a weight that is learned stays at 0 once it is there. In an entropy, "
        "`xlogy(p, p)`, both are 0 at once and the slope is infinite: there 0 is a choice.",
        instead="`x * tf.math.log(y)` where y is positive; else the logarithm of a safe argument: "
        "`x * tf.math.log(tf.where(y > 0, y, 1.0))`.",
    ),
    Known(
        key="weighted_cross_entropy_at_zero",
        title="tf.nn.weighted_cross_entropy_with_logits has a wrong gradient at a logit of exactly 0",
        where=(Where(("losses/weighted_cross_entropy",), MODES, (_M, Verdict.DISCONNECTED)),),
        owner="TensorFlow",
        meaning="The loss is computed from `abs(-x)` and `relu(-x)`, whose corners at 0 cancel; their gradients there, "
        "0 and 0, do not. At a logit of 0 the gradient is 1 - label instead of (1 - label) / 2 - weight * label / 2: "
        "for a label of 1 it is 0, for a label of 0 twice what it should be. A last layer that starts at zeros gives "
        "such logits at every step. `tf.nn.sigmoid_cross_entropy_with_logits` takes care of this, and is right.",
        instead="`(1 - labels) * tf.nn.softplus(x) + weight * labels * tf.nn.softplus(-x)`, the same loss.",
    ),
    Known(
        key="norm_of_zero",
        title="tf.norm has a gradient of NaN at a vector of zeros",
        where=(Where(("ordering/norm",), MODES, (_N,)),),
        owner="TensorFlow",
        meaning="The norm has a corner there, where 0 is the usual choice; the gradient is 0/0. A row that is all "
        "padding has such a norm, and one NaN in a gradient is one in every weight.",
        instead="`tf.sqrt(tf.reduce_sum(x * x) + epsilon)`, or `tf.where` on the *input* of the norm.",
    ),
    Known(
        key="norm_of_zero_unused_xla",
        title="A square root of 0 whose result is not used: a gradient of 0 in a graph, NaN under XLA",
        where=(
            Where(("normalization/standardize",), ("xla",), (_N,)),
            Where(("merging/dot_normalized",), ("xla",), (_N,), (2, 16), keras=(3,)),
            Where(("normalization/unit_normalization",), ("xla",), (_N,), (2, 16), keras=(3,)),
        ),
        owner="XLA",
        meaning="The gradient of `sqrt` at 0 is infinite. TensorFlow's own kernel gives 0 where nothing comes back to "
        "it; XLA multiplies 0 by infinity. So layers that guard a square root with `maximum` or `where` "
        "behind it (`tf.image.per_image_standardization`, Keras 3's normalised `Dot`) train in graph mode and "
        "give NaN with `jit_compile=True` as soon as a step is all zeros, as padding is.",
        instead="Guard the argument: `tf.sqrt(tf.maximum(x, epsilon))`, not `tf.maximum(tf.sqrt(x), epsilon)`.",
    ),
    Known(
        key="rows_of_different_length",
        title="Rows of different length cannot be stacked",
        where=(Where(("loops/map_fn_stacked_cut_rows",), _NOT_XLA, (Verdict.ERROR,)),),
        owner="TensorFlow",
        meaning="`tf.map_fn` stacks what the mapped function gives. Outside XLA it raises; under XLA it "
        "[does not](#map_fn_stacked_rows_xla).",
        instead="Pad inside, or ask for ragged results.",
        is_limit=True,
    ),
    Known(
        key="segments_under_xla",
        title="XLA has no segment reductions of sorted segments",
        where=(
            Where(tuple(f"segments/segment_{kind}" for kind in ("sum", "mean", "max", "min", "prod")), ("xla",), (_U,)),
        ),
        owner="XLA",
        meaning="How many segments there are is known only from the data.",
        instead="Use `tf.math.unsorted_segment_…`, which is told their number.",
        is_limit=True,
    ),
    Known(
        key="ragged_under_xla",
        title="Ragged tensors made of padded ones are not reduced along an axis under XLA, nor concatenated or "
        "padded again",
        where=(
            Where(
                (
                    "segments/ragged_sum",
                    "segments/ragged_mean",
                    "segments/ragged_max",
                    "segments/ragged_prod",
                    "segments/ragged_variance",
                    "segments/ragged_softmax",
                    "segments/ragged_concat",
                    "segments/sparse_embedding",
                    "loops/map_fn_ragged",
                ),
                ("xla",),
                (_U,),
            ),
            Where(("segments/ragged_argument",), ("xla",), (_U,), before=(2, 9)),
        ),
        owner="XLA",
        meaning="Which of the flat values belong to a row of `tf.RaggedTensor.from_tensor(x, lengths)` is data. So no "
        "`tf.reduce_sum(ragged, axis=1)`; a ragged tensor made by `from_row_splits`, of splits that are an argument, "
        "is reduced from 2.9 on, and rightly. `tf.concat`, `to_tensor`, `tf.map_fn`, reductions along axis 0 and "
        "`tf.nn.safe_embedding_lookup_sparse` compile for neither. What needs the flat values only does: "
        "`tf.ragged.map_flat_values`, and `tf.reduce_sum` and the like without an axis.",
        instead="Work on padded tensors and a mask.",
        is_limit=True,
    ),
    Known(
        key="unbounded_loop_under_xla",
        title="A loop without a known bound has no gradient under XLA",
        where=(Where(("loops/while_loop", "linear_algebra/matrix_exponential"), ("xla",), (_U,)),),
        owner="XLA",
        meaning="What every step leaves for the backward pass has to be stored, in a space of known size.",
        instead="Give `tf.while_loop` its `maximum_iterations`; `tf.linalg.expm` has such a loop inside.",
        is_limit=True,
    ),
    Known(
        key="cumulative_logsumexp_under_xla",
        title="XLA before 2.12 has no tf.math.cumulative_logsumexp",
        where=(Where(("ordering/cumulative_logsumexp",), ("xla",), (_U,), before=(2, 12)),),
        owner="XLA",
        meaning="The operation was not translated.",
        instead="Upgrade, or compute it outside the compiled part.",
        is_limit=True,
    ),
    Known(
        key="untranslated_up_to_2_15",
        title="XLA up to 2.15 has no tf.nn.ctc_loss, and up to 2.16 no tf.signal.rfft in float64",
        where=(
            Where(("losses/ctc", "losses/ctc_two_labels"), ("xla",), (_U,), before=(2, 16)),
            Where(("indexing/fourier",), ("xla",), (_U,), before=(2, 17)),
        ),
        owner="XLA",
        meaning="Operations that they need were not translated.",
        instead="Upgrade, or compute them outside the compiled part.",
        is_limit=True,
    ),
    Known(
        key="determinants_under_xla",
        title="XLA has no determinants of matrices, and no tridiagonal solver that pivots",
        where=(
            Where(
                (
                    "linear_algebra/determinant",
                    "linear_algebra/sign_log_determinant",
                    "linear_algebra/tridiagonal_solve",
                ),
                ("xla",),
                (_U,),
            ),
        ),
        owner="XLA",
        meaning="`tf.linalg.det`, `slogdet` and `tridiagonal_solve(partial_pivoting=True)` do not compile.",
        instead="The square of the product of the diagonal of `tf.linalg.cholesky`, for positive definite matrices; "
        "the product of that of `tf.linalg.qr`'s triangle, but for its sign; `partial_pivoting=False`.",
        is_limit=True,
    ),
    Known(
        key="qr_of_unknown_size",
        title="The gradient of tf.linalg.qr needs matrices whose static shape is known",
        where=(Where(("linear_algebra/qr",), ("dynamic",), (Verdict.ERROR,)),),
        owner="TensorFlow",
        meaning="It raises where the number of rows or of columns is unknown while the function is traced. What newer "
        "versions changed is how much they infer: a matrix plus `tf.eye(tf.shape(matrix)[-1])` gets a static shape "
        "from 2.13 on, and a gradient with it.",
        instead="Give both sizes in the signature, or by `tf.ensure_shape`; the batch may stay unknown.",
        is_limit=True,
    ),
    Known(
        key="time_distributed_inner_shape",
        title="The gradient of TimeDistributed of Keras 3 around a recurrent layer needs a time that is known",
        where=(Where(("masks/time_distributed_lstm",), ("dynamic",), (_U,), (2, 16), keras=(3,)),),
        owner="Keras",
        meaning="The gradient asks for a shape that is unknown. The forward pass does not raise, and "
        "[gives the wrong steps](#time_distributed_unknown_time).",
        instead="Fix the time in the signature; the batch may stay unknown.",
        is_limit=True,
    ),
)


def known_for(
    subject: str, mode: str, tensorflow: str, keras: str, *, among: Iterable[Known] | None = None
) -> tuple[Known, ...]:
    """What is known of a subject in a mode under these versions."""
    rules = KNOWN if among is None else among
    return tuple(known for known in rules if known.verdicts(subject, mode, tensorflow, keras))
