"""The cause in one line, from messages that TensorFlow 2.8 and 2.21 really gave and from errors raised here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradcheck.records.reasons import Reason
from gradcheck.rendering.causes import cause_of, is_unsupported, reasons_of

MESSAGES = Path(__file__).parent / "messages"
VERSIONS = ("2.8", "2.21")
COMPILED = ("graph", "dynamic", "xla")


def error(kind: str, message: str) -> Exception:
    """An exception as the type's name and text say, without TensorFlow."""
    made: Exception = type(kind, (Exception,), {})(message)
    return made


def collected(version: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((MESSAGES / f"tensorflow-{version}.json").read_text(encoding="utf-8"))
    return rows


def found(version: str, subject: str, mode: str) -> Exception:
    (row,) = (row for row in collected(version) if (row["subject"], row["mode"]) == (subject, mode))
    return error(row["type"], row["message"])


@pytest.mark.parametrize("version", VERSIONS)
def test_every_collected_message(version: str, snapshot: Callable[[str, str], None]) -> None:
    lines: dict[str, list[str]] = {}
    for row in collected(version):
        raised = error(row["type"], row["message"])
        cause = cause_of(raised, row["mode"])
        unsupported = "UNSUPPORTED" if is_unsupported(raised, row["mode"]) else "ERROR"
        lines.setdefault(f"{row['subject']}: {unsupported}: {cause}", []).append(row["mode"])
    snapshot(f"causes-{version}", "\n".join(f"{text}  [{' '.join(modes)}]" for text, modes in lines.items()))


@pytest.mark.parametrize("version", VERSIONS)
def test_causes_are_one_line_without_the_innards_of_tensorflow(version: str) -> None:
    for row in collected(version):
        cause = cause_of(error(row["type"], row["message"]), row["mode"])
        assert "\n" not in cause
        assert len(cause) < 300, cause
        for innards in ("{{", "[[", "[Op:", "__inference", "Stack trace", "Detected at", "tf2xla", "in user code"):
            assert innards not in cause, cause


# Subjects that these modes cannot run at all; in all others they run or raise an error of their own.
REFUSED = {
    "uneven_map_fn": ("xla",),
    "equal_map_fn_range": ("xla",),
    "ragged_map_fn": ("xla",),
    "ragged_range": ("xla",),
    "string_op": ("xla",),
    "py_function": ("xla",),
    "numpy_function": ("xla",),
    "dynamic_while": ("xla",),
    "tensor_array_dyn": ("xla",),
    "python_iter": COMPILED,
    "python_range": COMPILED,
    "dot_numpy": COMPILED,
    "np_call": COMPILED,
    "static_dim": ("dynamic",),
    "static_range": ("dynamic",),
    "static_zeros": ("dynamic",),
    "unstack_batch": ("dynamic",),
    "eigh": ("dynamic",),
    "new_variable": COMPILED,
    "tf_if_types": COMPILED,
    "tf_if_undefined": COMPILED,
    "ctc_sparse": ("xla",),
    "segment": ("xla",),
    "sparse_dense": ("xla",),
}  # fmt: skip
RAISING = (
    "shape_mismatch", "broadcast_mismatch", "dtype_mismatch", "value_error", "helper_value_error", "key_error",
    "attribute_error", "type_error", "assertion", "py_assert", "plain_assert", "reverse_sequence_bad", "slice_oob",
    "gather_oob", "reshape_bad", "reshape_bad_dyn", "inv_bad", "check_numerics", "lookup_grad", "keras_dense_rank",
    "keras_gru_rank", "keras_add", "keras_custom", "keras_raise", "foldl_elems", "scan_shape", "none_output", "unique",
)  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("subject", [*REFUSED, *RAISING])
def test_what_a_mode_cannot_run_is_told_from_what_raises(version: str, subject: str) -> None:
    rows = [row for row in collected(version) if row["subject"] == subject]
    assert rows
    refused = tuple(row["mode"] for row in rows if is_unsupported(error(row["type"], row["message"]), row["mode"]))
    assert refused == REFUSED.get(subject, ())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("subject", ["uneven_map_fn", "scan_shape", "shape_mismatch", "dtype_mismatch", "keras_raise"])
def test_the_same_fault_is_said_in_the_same_words_in_eager_and_graph(version: str, subject: str) -> None:
    causes = {cause_of(found(version, subject, mode), mode, where=False) for mode in ("eager", "graph")}
    assert len(causes) == 1, causes


@pytest.mark.parametrize("subject", ["uneven_map_fn", "ragged_range", "python_iter", "static_range", "value_error"])
def test_both_versions_say_the_same(subject: str) -> None:
    modes = [row["mode"] for row in collected("2.8") if row["subject"] == subject]
    for mode in modes:
        causes = {cause_of(found(version, subject, mode), mode, where=False) for version in VERSIONS}
        assert len(causes) == 1, causes


def test_sizes_that_xla_cannot_prove_equal_are_refused_not_raised() -> None:
    """What tf.map_fn over cut rows, then tf.pad, gives on 2.15; 2.8 and 2.21 end otherwise."""
    raised = error(
        "InvalidArgumentError",
        "Fail to proof the equality of two dimensions at compile time: %add.225 = s32[] add(s32[] %add.224, s32[] "
        '%reshape.220), metadata={op_type="Pad" op_name="Pad_1" …} vs %constant.3 = s32[] constant(1)',
    )
    assert is_unsupported(raised, "xla")
    assert not is_unsupported(raised, "graph")
    assert cause_of(raised, "xla").startswith("XLA cannot prove, when it compiles, that two sizes are equal")


def test_words_of_the_users_own_keep_their_meaning() -> None:
    # In eager mode None is no unknown size, whatever the words.
    own = error("TypeError", "unsupported operand type(s) for +: 'int' and 'NoneType'")
    assert cause_of(own, "eager") == "TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'"
    assert not is_unsupported(own, "graph")
    assert is_unsupported(own, "dynamic")
    assert not is_unsupported(error("ValueError", "lengths must be sorted"), "xla")


@pytest.mark.parametrize(
    ("kind", "message", "says"),
    [
        (
            "ValueError",
            "the gradient w.r.t. values has shape (None,) where the input has (None, 3)",
            "the gradient w.r.t. values has another shape than values itself: [None], not [None, 3]",
        ),
        (
            "ValueError",
            "the gradient w.r.t. weight kernel:0 has shape () where the input has (3,)",
            "the gradient w.r.t. weight kernel:0 has another shape than weight kernel:0 itself: [], not [3]",
        ),
        (
            "TypeError",
            "Tensors in list passed to 'values' of 'ConcatV2' Op have types [float64, float32, float64] that don't "
            "all match.",
            "ConcatV2: arguments of different dtypes, float32 and float64",
        ),
        (
            "ValueError",
            "Tensor conversion requested dtype float32 for Tensor with dtype float64: <tf.Tensor 'Reshape:0' "
            "shape=(None, 3) dtype=float64>",
            "a tensor of dtype float64 where float32 is asked for",
        ),
        (
            "InvalidArgumentError",
            "Graph execution error:\n\nDetected at node gradient_tape/mul/Mul_1 defined at (most recent call last):\n"
            '  File "/home/me/layer.py", line 14, in <module>\n\n  File "/home/me/layer.py", line 11, in g\n\n'
            "Incompatible shapes: [4,3] vs. [2,3]\n\t [[{{node gradient_tape/mul/Mul_1}}]] [Op:__inference_g_47]",
            "in the backward pass, shapes [4, 3] and [2, 3] do not fit together (layer.py:11, in g)",
        ),
        (
            "InvalidArgumentError",
            "Graph execution error:\n\nDetected at node 'gradient_tape/mul/Mul_1' defined at (most recent call last):\n"
            '    File "/home/me/layer.py", line 11, in g\n      return t.gradient(y, v)\n'
            "Node: 'gradient_tape/mul/Mul_1'\nIncompatible shapes: [4,3] vs. [2,3]\n"
            "\t [[{{node gradient_tape/mul/Mul_1}}]] [Op:__inference_g_45]",
            "in the backward pass, shapes [4, 3] and [2, 3] do not fit together (layer.py:11, in g)",
        ),
        (
            # The second node only waits for the first.
            "InvalidArgumentError",
            "Incompatible shapes: [4,3] vs. [2,3]\n\t [[{{node mul}}]]\n\t [[gradient_tape/Sum/_4]] "
            "[Op:__inference_g_91]",
            "shapes [4, 3] and [2, 3] do not fit together",
        ),
    ],
)
def test_what_does_not_go_together_is_named(kind: str, message: str, says: str) -> None:
    assert {cause_of(error(kind, message), mode) for mode in ("eager", *COMPILED)} == {says}


def test_an_error_without_a_message_is_named() -> None:
    assert cause_of(error("ValueError", "")) == "ValueError"
    assert cause_of(AssertionError()).startswith("AssertionError")


def test_a_long_message_is_cut_between_words() -> None:
    cause = cause_of(error("ValueError", "word " * 200))
    assert len(cause) < 240
    assert cause.endswith("word …")


def test_a_tuple_of_words_is_read_as_a_sentence() -> None:
    assert cause_of(ValueError("expected", 1, "gradients"), where=False) == "ValueError: expected 1 gradients"


def _fail(values: object) -> None:
    raise ValueError("lengths must be sorted")


def test_the_place_is_the_last_line_of_the_users_own_code() -> None:
    with pytest.raises(ValueError, match="sorted") as raised:
        _fail(1)
    cause = cause_of(raised.value)
    assert cause.startswith("ValueError: lengths must be sorted (test_causes.py:")
    assert cause.endswith(", in _fail)")
    assert cause_of(raised.value, where=False) == "ValueError: lengths must be sorted"


# -- raised by the TensorFlow that is installed ---------------------------------------------------------------


def test_errors_of_this_tensorflow() -> None:
    tf = pytest.importorskip("tensorflow")
    lengths = tf.constant([1, 3])

    def uneven(n: Any) -> Any:
        return tf.map_fn(tf.range, n, fn_output_signature=tf.int32)

    def looping(n: Any) -> Any:
        return [element * 2 for element in n]

    def undecided(n: Any) -> Any:
        return 1 if n[0] > 0 else 2

    def ragged(n: Any) -> Any:
        return tf.ragged.range(n).to_tensor()

    unconverted = tf.autograph.experimental.do_not_convert
    signature = [tf.TensorSpec([None], tf.int32)]
    table: list[tuple[Callable[..., Any], Callable[..., Any], str, str, bool]] = [
        (uneven, uneven, "eager", "elements of different shapes, [1] and [3], cannot be stacked", False),
        (uneven, tf.function(uneven), "graph", "elements of different shapes, [1] and [3], cannot be stacked", False),
        (looping, tf.function(unconverted(looping)), "graph", "so Python cannot loop over it", True),
        (undecided, tf.function(unconverted(undecided)), "graph", "cannot decide by it", True),
        (ragged, tf.function(ragged, jit_compile=True), "xla", "XLA cannot compile the operation RaggedRange", True),
        (
            looping,
            tf.function(lambda n: tf.zeros([n.shape[0] + 1]), input_signature=signature),
            "dynamic",
            "the size of an axis is needed as a Python number",
            True,
        ),
    ]
    for subject, run, mode, says, unsupported in table:
        with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the point of the test
            run(lengths)
        cause = cause_of(raised.value, mode)
        assert says in cause, cause
        assert is_unsupported(raised.value, mode) is unsupported, cause
        assert "test_causes.py" in cause or (mode == "xla"), cause
        del subject


REASONS = [
    ("ValueError", "lengths must be sorted", Reason.RAISED),
    ("ValueError", "the gradient w.r.t. x has shape () where the input has (2,)", Reason.GRADIENT_SHAPE),
    ("LookupError", "gradient registry has no entry for: DenseBincount", Reason.NO_GRADIENT),
    (
        "UnimplementedError",
        "Current CPU implementations do not yet support dilation rates larger than 1.",
        Reason.NO_KERNEL,
    ),
    ("InvalidArgumentError", "Input is not invertible.", Reason.SINGULAR),
    (
        "InvalidArgumentError",
        "cannot compute Mul as input #1(zero-based) was expected to be a double tensor but is a float tensor",
        Reason.FLOAT_DTYPES,
    ),
    (
        "InvalidArgumentError",
        "cannot compute Mul as input #1(zero-based) was expected to be a double tensor but is a int32 tensor",
        Reason.OTHER_DTYPES,
    ),
    ("ValueError", "Tensor conversion requested dtype float32 for Tensor with dtype int32", Reason.OTHER_DTYPES),
    ("ValueError", "custom_gradient function expected to return 2 gradients, but returned 1", Reason.GRADIENT_COUNT),
    ("InternalError", "Recorded operation 'f' returned too few gradients. Expected 3", Reason.GRADIENT_COUNT),
    ("InvalidArgumentError", "Could not read index 0 twice because it was cleared", Reason.READ_TWICE),
    ("NameError", "name 'x' is not defined", Reason.OF_THE_CODE),
]


@pytest.mark.parametrize(("kind", "message", "reason"), REASONS)
def test_the_reason_of_an_error(kind: str, message: str, reason: Reason) -> None:
    assert reasons_of(error(kind, message), "eager") == (reason,)
