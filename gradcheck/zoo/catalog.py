"""The list of the zoo's subjects: where each is, what it is drawn from, and on which versions there is such a thing.

Plain data; TensorFlow is imported only when a subject itself is.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradcheck.mode_names import MODES
from gradcheck.releases.table import minor_of

__all__ = ["FAMILIES", "Exhibit", "available", "catalog", "narrowed"]

_PACKAGE = "gradcheck.zoo"

FAMILIES: dict[str, str] = {
    "recurrent": "recurrent layers and cells",
    "attention": "attention layers and masked softmax",
    "pooling": "pooling over time",
    "convolution": "convolutions along time",
    "normalization": "normalisations",
    "masks": "layers that make a mask or hand one on",
    "merging": "layers that merge sequences",
    "losses": "losses with weights and masks",
    "loops": "loops over steps and rows",
    "segments": "segment, ragged and sparse reductions",
    "indexing": "steps picked out, put elsewhere, turned round",
    "ordering": "sorting, running totals, masked reductions",
    "linear_algebra": "linear algebra on stacks",
}


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One subject of the zoo.

    Attributes:
        family: the module it is in, one of `FAMILIES`.
        function: the function that is the subject, or the factory that makes it.
        draws: name of its strategy in `gradcheck.zoo.draws`.
        modes: modes that it is searched in.
        options: further arguments of `gradcheck.search`, such as ``padding`` and ``wrt``; JSON can hold them.
        since: first TensorFlow minor release that has it.
        keras: the Keras generations that have it.
    """

    family: str
    function: str
    draws: str
    modes: tuple[str, ...] = MODES
    options: Mapping[str, Any] = field(default_factory=dict)
    since: tuple[int, int] = (2, 8)
    keras: tuple[int, ...] = (2, 3)

    @property
    def name(self) -> str:
        """``family/function``, such as ``"recurrent/lstm"``."""
        return f"{self.family}/{self.function}"

    @property
    def of_keras(self) -> bool:
        """Whether it is something of Keras's, a factory of a layer or a loss, and no operation of TensorFlow."""
        return _functions(self.family)[self.function].is_factory

    @property
    def subject(self) -> str:
        """Import path of the subject, as ``gradcheck search`` takes it."""
        return f"{_PACKAGE}.{self.family}:{self.function}"

    @property
    def strategy(self) -> str:
        """Import path of the strategy, as ``gradcheck search --strategy`` takes it."""
        return f"{_PACKAGE}.draws:{self.draws}"

    @property
    def doc(self) -> str:
        """What it is, in Markdown: the first sentence of the function's docstring, read without TensorFlow."""
        return _functions(self.family)[self.function].doc


@dataclass(frozen=True)
class _Function:
    """What the source of a subject says of it: its docstring, and whether it makes the subject or is it."""

    doc: str
    is_factory: bool


@functools.cache
def _functions(family: str) -> dict[str, _Function]:
    source = Path(__file__).with_name(f"{family}.py").read_text(encoding="utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {
        node.name: _Function(" ".join((ast.get_docstring(node) or "").split()), not node.args.args)
        for node in functions
    }


def narrowed(exhibits: Iterable[Exhibit], texts: Sequence[str], keras_only: bool) -> list[Exhibit]:
    """Those with one of the texts in their name, all where there is none; of Keras's only where that is asked for."""
    return [
        exhibit
        for exhibit in exhibits
        if (not texts or any(text in exhibit.name for text in texts)) and (exhibit.of_keras or not keras_only)
    ]


def available(exhibit: Exhibit, tensorflow: str, keras: str) -> bool:
    """Whether this TensorFlow with this Keras (versions such as ``"2.8.4"`` and ``"2.8.0"``) has it."""
    return minor_of(tensorflow) >= exhibit.since and int(keras.split(".")[0]) in exhibit.keras


def catalog() -> tuple[Exhibit, ...]:
    """All subjects, family by family, in the order in which they are shown."""
    return _CATALOG


def _family(family: str, *rows: tuple[str, str] | tuple[str, str, dict[str, Any]]) -> list[Exhibit]:
    return [Exhibit(family, row[0], row[1], **(row[2] if len(row) == 3 else {})) for row in rows]


_CATALOG: tuple[Exhibit, ...] = (
    *_family(
        "recurrent",
        ("simple_rnn", "steps"),
        ("gru", "steps"),
        ("gru_reset_before", "steps"),
        ("lstm", "steps"),
        ("lstm_float32", "steps_float32"),
        ("lstm_sequences", "steps"),
        ("lstm_backwards", "steps"),
        # One copy of the cell a step: the number of steps must be known.
        ("lstm_unrolled", "steps", {"modes": ("eager", "graph", "xla")}),
        ("gru_zeros_at_padding", "steps"),
        ("stacked_cells", "steps"),
        ("bidirectional_lstm", "steps"),
        ("bidirectional_gru_sequences", "steps"),
        ("encoder_decoder", "steps"),
        ("simple_rnn_cell", "step_and_state"),
        ("gru_cell", "step_and_state"),
        ("lstm_cell", "step_and_state"),
        ("conv_lstm_1d", "steps"),
    ),
    *_family(
        "attention",
        ("softmax", "scores"),
        ("softmax_float32", "scores_float32_of_one_row"),
        ("softmax_heads", "steps_float32_nonempty"),
        ("dot_attention", "steps"),
        ("dot_attention_causal", "steps"),
        ("concat_attention", "steps", {"since": (2, 11)}),
        ("additive_attention", "steps"),
        ("cross_attention", "steps_nonempty"),
        ("multi_head_attention", "steps_nonempty"),
        ("multi_head_attention_float32", "steps_float32_nonempty"),
        ("multi_head_attention_causal", "steps_behind", {"since": (2, 10)}),
        ("multi_head_attention_implicit", "steps", {"since": (2, 10)}),
        ("group_query_attention", "steps_nonempty", {"since": (2, 16), "keras": (3,)}),
    ),
    *_family(
        "pooling",
        ("global_average", "steps"),
        ("global_average_keepdims", "steps_nonempty"),
        ("global_max", "arrays"),
        ("average", "arrays"),
        ("maximum", "arrays"),
        ("max_pool1d", "long_arrays"),
        ("avg_pool1d", "long_arrays"),
    ),
    *_family(
        "convolution",
        ("causal", "steps_behind"),
        ("causal_dilated", "steps_behind"),
        ("separable_causal", "steps_behind", {"keras": (2,)}),
        ("same_strided", "long_arrays"),
        ("transpose", "arrays"),
        ("depthwise", "arrays"),
    ),
    *_family(
        "normalization",
        ("layer_normalization", "arrays"),
        ("layer_normalization_float32", "arrays_float32"),
        ("batch_normalization", "arrays"),
        ("batch_normalization_training", "arrays"),
        ("batch_normalization_masked", "steps_nonempty", {"since": (2, 16), "keras": (3,)}),
        ("group_normalization", "arrays", {"since": (2, 11)}),
        ("unit_normalization", "arrays", {"since": (2, 9)}),
        ("l2_normalize", "arrays"),
        ("moments", "arrays"),
        ("weighted_moments", "steps_behind_nonempty"),
        ("standardize", "arrays"),
    ),
    *_family(
        "masks",
        ("time_distributed_dense", "steps"),
        ("masking_lstm", "positive_steps"),
        ("embedding_lstm", "identifiers"),
        ("embedding_average", "identifiers_nonempty"),
        ("embedding_model", "identifiers"),
        ("time_distributed_lstm", "arrays"),
        ("dense", "arrays"),
        ("pad_and_crop", "arrays"),
    ),
    *_family(
        "merging",
        ("add", "pairs"),
        ("subtract", "pairs"),
        ("multiply", "pairs"),
        ("average", "pairs"),
        ("maximum", "pairs"),
        ("minimum", "pairs"),
        ("concatenate", "pairs"),
        ("dot", "pairs"),
        ("dot_normalized", "pairs"),
        ("concatenate_lstm", "steps"),
        ("add_lstm", "steps"),
    ),
    *_family(
        "losses",
        ("mean_squared_error", "steps_behind"),
        ("mean_absolute_error", "steps_behind"),
        ("mean_squared_logarithmic_error", "moderate_steps"),
        ("mean_absolute_percentage_error", "steps_behind"),
        ("huber", "steps_behind"),
        ("log_cosh", "steps_behind"),
        ("poisson", "moderate_steps"),
        ("cosine_similarity", "moderate_steps"),
        ("hinge", "steps_behind"),
        ("squared_hinge", "steps_behind"),
        ("categorical_hinge", "steps_behind"),
        ("binary_crossentropy", "moderate_steps"),
        ("binary_crossentropy_logits", "steps_behind"),
        ("binary_focal_crossentropy", "steps_behind", {"since": (2, 9)}),
        ("categorical_crossentropy", "moderate_steps"),
        ("categorical_crossentropy_logits", "steps_behind"),
        ("categorical_crossentropy_saturated", "steps_behind"),
        ("sparse_categorical_crossentropy", "moderate_steps"),
        ("sparse_categorical_crossentropy_logits", "steps_behind"),
        ("kl_divergence", "moderate_steps"),
        ("sigmoid_cross_entropy", "steps_behind"),
        ("weighted_cross_entropy", "steps_behind"),
        ("softmax_cross_entropy", "steps_behind"),
        ("sparse_softmax_cross_entropy", "steps_behind"),
        ("ctc", "steps_for_one_label"),
        ("ctc_two_labels", "steps_for_labels"),
    ),
    *_family(
        "loops",
        ("scan", "steps_behind"),
        ("foldl", "steps_behind"),
        ("foldr", "steps_behind"),
        ("map_fn", "steps_behind"),
        ("map_fn_cut_rows", "steps_behind"),
        ("map_fn_stacked_cut_rows", "steps_behind"),
        ("map_fn_ragged", "steps_behind"),
        ("vectorized_map", "steps_behind"),
        ("while_loop", "steps_behind"),
        ("while_loop_bounded", "steps_behind"),
        ("tensor_array", "steps_behind"),
        ("cond", "steps_behind"),
    ),
    *_family(
        "segments",
        ("segment_sum", "arrays"),
        ("segment_mean", "arrays"),
        ("segment_max", "arrays"),
        ("segment_min", "arrays"),
        ("segment_prod", "arrays"),
        ("unsorted_segment_sum", "steps_behind"),
        ("unsorted_segment_mean", "steps_behind"),
        ("unsorted_segment_sqrt_n", "steps_behind"),
        ("unsorted_segment_max", "steps_behind"),
        ("unsorted_segment_min", "steps_behind"),
        ("unsorted_segment_prod", "steps_behind"),
        ("unsorted_segment_sum_dropping", "steps_behind"),
        ("ragged_sum", "steps_behind"),
        ("ragged_mean", "steps_behind_nonempty"),
        ("ragged_max", "steps_behind_nonempty"),
        ("ragged_prod", "steps_behind"),
        ("ragged_variance", "steps_behind_nonempty"),
        ("ragged_softmax", "steps_behind"),
        ("ragged_argument", "ragged_rows"),
        ("ragged_concat", "steps_behind"),
        ("sparse_embedding", "scores_behind"),
    ),
    *_family(
        "indexing",
        ("reverse_sequence", "steps_behind"),
        ("sequence_mask_mean", "steps_behind"),
        ("boolean_mask", "steps"),
        ("gather_last", "steps_behind_nonempty"),
        ("gather_last_batched", "steps_behind_nonempty"),
        ("gather_repeated", "arrays"),
        ("scatter_nd", "steps_behind"),
        ("scatter_add", "steps_behind_nonempty"),
        ("scatter_update", "steps_behind_nonempty"),
        ("scatter_max", "steps_behind_nonempty"),
        ("partition_and_stitch", "steps_behind"),
        ("roll", "arrays"),
        ("repeat_steps", "steps_behind"),
        ("strided_slice", "long_arrays"),
        ("mirror_pad", "arrays"),
        ("where_replaced", "steps_behind"),
        ("one_hot_select", "steps_behind"),
        ("frame", "long_arrays"),
        ("overlap_and_add", "arrays"),
        ("fourier", "arrays"),
    ),
    *_family(
        "ordering",
        ("sort", "arrays"),
        ("sort_descending", "steps_behind"),
        ("argsort_gather", "arrays"),
        ("top_k", "arrays"),
        ("greatest_by_top_k", "steps_behind"),
        ("reduce_max", "steps_behind"),
        ("reduce_prod", "steps_behind"),
        ("logsumexp", "steps_behind"),
        ("norm", "arrays"),
        ("masked_softmax", "steps_behind"),
        ("log_softmax", "arrays"),
        ("cumsum", "arrays"),
        ("cumsum_reverse_exclusive", "steps_behind"),
        ("cumprod", "arrays"),
        ("cumprod_nonzero", "positive_arrays"),
        ("cumulative_logsumexp", "arrays"),
        ("divide_no_nan", "arrays"),
        ("xlogy", "positive_arrays"),
        ("xdivy", "arrays"),
        ("multiply_no_nan", "steps_behind"),
        ("clip_by_norm", "arrays"),
    ),
    *_family(
        "linear_algebra",
        ("matmul", "matrices"),
        ("inverse", "small_matrices"),
        ("determinant", "small_matrices"),
        ("log_determinant", "matrices"),
        ("sign_log_determinant", "small_matrices"),
        ("cholesky", "matrices"),
        ("cholesky_solve", "matrices"),
        ("solve", "small_matrices"),
        ("triangular_solve", "small_matrices"),
        ("least_squares", "small_matrices"),
        ("qr", "small_matrices"),
        ("singular_values", "small_matrices"),
        ("eigenvalues", "small_matrices"),
        ("matrix_exponential", "matrices"),
        ("band_part", "matrices"),
        ("set_diagonal", "matrices"),
        ("trace", "matrices"),
        # Of unknown size its diagonals cannot be taken out of the matrix.
        ("tridiagonal_solve", "small_matrices", {"modes": ("eager", "graph", "xla")}),
    ),
)
