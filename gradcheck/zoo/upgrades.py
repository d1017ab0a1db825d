"""What somebody who upgrades TensorFlow should know, beside the tables: judged by hand from what was measured."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UPGRADES", "Upgrade"]


@dataclass(frozen=True)
class Upgrade:
    """Advice on one upgrade.

    Attributes:
        old, new: the minor releases, as the page names them: ``2.21 with Keras 2`` is one of them.
        verdict: whether it is safe, in a sentence or two.
        points: what to do or to know, each a sentence or two of Markdown.
    """

    old: str
    new: str
    verdict: str
    points: tuple[str, ...]


UPGRADES: tuple[Upgrade, ...] = (
    Upgrade(
        old="2.8",
        new="2.15",
        verdict="**Safe** but for `tf.map_fn` over cut rows under XLA, as far as gradients of sequence layers go, "
        "and worth it for whoever compiles attention. "
        "Keras 2 is inside both.",
        points=(
            "[Masked `MultiHeadAttention` and `Softmax` in float32 under "
            "`jit_compile=True`](#added_mask_softmax_xla) average on 2.8, where the mask is broadcast, and attend "
            "from 2.9 on. A compiled model will train differently, and better: do not take a loss curve of 2.8 for "
            "the reference.",
            "[Cut rows in `tf.map_fn` under XLA](#map_fn_one_row_crash_xla) can end the process up to 2.14 and no "
            "longer do; [their gradient](#cut_row_gradient_xla) is wrong on both. Look for `row[:length]` in "
            "compiled steps.",
            "[Cross entropies of probabilities](#crossentropy_of_probabilities) clip in eager mode and not in a graph, "
            "on both. From 2.14 on the layer `Softmax` is as right in eager mode as in a graph: a loss curve of an "
            "eager loop can change, to the better.",
            "`tf.map_fn` over cut rows that are stacked is [wrong under XLA](#map_fn_stacked_rows_xla) on both; with "
            "batches of one step 2.8 refuses to compile it or ends the process, and 2.15 no longer does. See also "
            "[variable-length layers](variable-length-layers.md).",
            "What stays (masked pooling of empty rows, norms of zeros, an unused square root of 0 under XLA, "
            "`tf.math.cumprod`, `tf.math.xlogy` and its like and weighted cross entropy at 0) has the same remedy "
            "on both, so it can be put in before the upgrade.",
        ),
    ),
    Upgrade(
        old="2.8",
        new="2.21",
        verdict="**As safe as 2.15 for TensorFlow's own operations; look twice at layers**, because `tf.keras` is "
        "Keras 3 from 2.16 on. Whoever cannot look keeps Keras 2: `pip install tf_keras==2.21.0` and "
        "`TF_USE_LEGACY_KERAS=1`: [see below](#from-28-to-221-with-keras-2).",
        points=(
            "All of what is said of 2.15 above.",
            "[`TimeDistributed`](#time_distributed_unknown_time) in a `tf.function` with an unknown time axis gives "
            "the wrong number of steps, silently. Fix the time in the signature (the batch does not help), or drop "
            "the wrapper.",
            "Do not stop at 2.16: XLA gives [a small `GRUCell`](#gru_cell_two_by_two_xla) wrong gradients there, "
            "silently; 2.17 does not.",
            '`SeparableConv1D(padding="causal")` raises on Keras 3.',
            "[`Dot(normalize=True)` under `jit_compile=True`](#norm_of_zero_unused_xla) gives NaN for a step of zeros "
            "with Keras 3; it passed on 2.8. So does `UnitNormalization`, which 2.8 does not have and which is right "
            "on 2.15.",
            "Losses and some layers of Keras 3 compute in float32 whatever they are given, unless told `dtype`.",
            "[Masked `GlobalAveragePooling1D`](#average_pooling_empty_row) still gives NaN for an empty row, but "
            "its gradient is finite with Keras 3: the loss shows it, and the weights survive.",
        ),
    ),
    Upgrade(
        old="2.8",
        new="2.21 with Keras 2",
        verdict="**Safe for layers and losses**: with `pip install tf_keras==2.21.0` and `TF_USE_LEGACY_KERAS=1` they "
        "do as on 2.8, and attention under XLA does better.",
        points=(
            "Searched were the layers and losses of Keras; TensorFlow's own operations are those of 2.21 above, "
            "whichever Keras is installed, and so is what is said of 2.15.",
            '`TimeDistributed`, `Dot(normalize=True)` and `SeparableConv1D(padding="causal")` do as on 2.8, not as in '
            "Keras 3.",
            "It puts the way to Keras 3 off; the list above says what to look at on it.",
        ),
    ),
)
