"""Strategies from what a subject says of its input: tensor specs, and the input spec of a Keras layer."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from gradcheck.errors import shown
from gradcheck.strategies import _arguments as arguments
from gradcheck.strategies._batches import batches
from gradcheck.strategies._genome import Genome, genomes
from gradcheck.strategies._shapes import shape_menu
from gradcheck.strategies._values import values
from gradcheck.strategies.batch import Batch

__all__ = ["from_layer", "from_signature"]

#: An axis that a spec leaves open and that is neither the batch nor the time axis gets this length: one more shape a
#: draw would be one more compilation.
_OPEN_AXIS = 2


@dataclass(frozen=True)
class _Spec:
    """What is needed of a `tf.TensorSpec`: axes (None where open) and dtype."""

    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]

    @property
    def floating(self) -> bool:
        return self.dtype.kind in "fc" or self.dtype.name == "bfloat16"


def _spec(thing: Any) -> _Spec:
    shape, dtype = getattr(thing, "shape", None), getattr(thing, "dtype", None)
    if shape is None or dtype is None:
        raise InvalidArgument(
            f"signature has {shown(thing)}, which is no tensor spec: it has no shape or no dtype. "
            "Use tf.TensorSpec(shape, dtype) or an array."
        )
    if getattr(shape, "rank", 0) is None:
        raise InvalidArgument(f"signature has {shown(thing)} of unknown rank. Give the shape, with None for open axes.")
    axes = tuple(None if axis is None else int(axis) for axis in (getattr(axis, "value", axis) for axis in shape))
    return _Spec(axes, arguments.dtype_of("dtype", dtype, kinds="fciub"))


def _limits(spec: _Spec, max_batch: int, max_length: int) -> dict[str, Any]:
    """What `batches` needs to draw values for this spec of rank 2 or 3."""
    rows, time = spec.shape[:2]
    limits: dict[str, Any] = {"max_batch": max_batch, "max_length": max_length, "dtype": spec.dtype}
    if rows is not None:
        limits |= {"min_batch": rows, "max_batch": rows}
    if time is not None:
        limits |= {"max_length": time, "min_time": time, "max_extra": 0}
    features = spec.shape[2] if len(spec.shape) == 3 else None
    limits["features"] = _OPEN_AXIS if len(spec.shape) == 3 and features is None else features
    return limits


@st.composite
def from_signature(
    draw: st.DrawFn,
    signature: Any,
    *,
    max_batch: int = 3,
    max_length: int = 6,
) -> Batch | np.ndarray[Any, Any] | tuple[np.ndarray[Any, Any], ...]:
    """Arguments that fit tensor specs, as `tf.function(input_signature=…)` has them.

    One spec gives an array, several give a tuple of arrays. A float tensor `[batch, time]` or
    `[batch, time, features]` followed by an integer vector gives a `Batch` of values and lengths; followed by a
    boolean `[batch, time]`, values and their mask. The open first axes of all specs are drawn as one number, and so
    are the open second ones; further open axes have length 2.

    Args:
        signature: a `tf.TensorSpec`, an array, or a sequence of these: whatever has a shape and a dtype. TensorFlow
            is not imported.
        max_batch: most rows, where the first axis is open.
        max_length: most steps, where the second axis is open.

    Raises:
        InvalidArgument: when first drawn from, for a spec without shape or dtype, or of a dtype that is not a number.
    """
    alone = not isinstance(signature, Sequence)
    specs = [_spec(thing) for thing in ([signature] if alone else signature)]
    if not specs:
        raise InvalidArgument("signature=() has no tensor in it. Give one tf.TensorSpec or more.")
    rows_most = arguments.integer("max_batch", max_batch, at_least=1)
    time_most = arguments.integer("max_length", max_length, at_least=1)
    if len(specs) == 2 and specs[0].floating and len(specs[0].shape) in (2, 3):
        ranks = len(specs[1].shape)
        if specs[1].dtype in (np.int32, np.int64) and ranks == 1:
            return draw(batches(**_limits(specs[0], rows_most, time_most), lengths_dtype=specs[1].dtype))
        if specs[1].dtype == np.bool_ and ranks == 2:
            batch = draw(batches(**_limits(specs[0], rows_most, time_most)))
            return batch.values, batch.mask
    menu = shape_menu(1, rows_most, 1, time_most, time_most)
    chosen = menu.draw(Genome(draw(genomes(menu.size))))
    open_axes = [len(chosen.kept), len(chosen.steps)]
    drawn = []
    for spec in specs:
        shape = tuple(
            (open_axes[at] if at < len(open_axes) else _OPEN_AXIS) if axis is None else axis
            for at, axis in enumerate(spec.shape)
        )
        if spec.dtype.kind in "ub":
            drawn.append(draw(values(shape=shape, dtype=np.int32, min_value=0, max_value=1)).astype(spec.dtype))
        else:
            drawn.append(draw(values(shape=shape, dtype=spec.dtype)))
    return drawn[0] if alone else tuple(drawn)


def _takes_mask(layer: Any) -> bool:
    try:
        return "mask" in inspect.signature(layer.call).parameters
    except (AttributeError, TypeError, ValueError):
        return False


def _array_of(spec: Any, max_batch: int, max_length: int) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    """One spec gives one array; the wider type is from_signature's for several."""
    strategy: st.SearchStrategy[Any] = from_signature(spec, max_batch=max_batch, max_length=max_length)
    return strategy


def _built_shape(layer: Any) -> tuple[int | None, ...] | None:
    """The shape of the one input that a layer was built for, as far as Keras tells."""
    try:
        shape = layer.get_build_config()["input_shape"]
    except Exception:  # Keras before 2.12 has none, and some layers have nothing to tell
        return None
    if not isinstance(shape, (list, tuple)) or not shape or isinstance(shape[0], (list, tuple)):
        return None
    return tuple(shape)


@st.composite
def from_layer(draw: st.DrawFn, layer: Any, *, max_batch: int = 3, max_length: int = 6) -> Batch | np.ndarray[Any, Any]:
    """Inputs for a Keras layer (or model), from its `input_spec` and dtype.

    A layer whose `call` takes a mask gets a `Batch`, another one an array without padding. A layer that has not been
    built yet and does not say how many features it wants gets 3. A model without input spec, as `Sequential` is in
    Keras 3, gets an array for its one input.

    Args:
        layer: the layer; TensorFlow is not imported, so any object with such an `input_spec` will do.
        max_batch, max_length: limits where the axes are open.

    Raises:
        InvalidArgument: when first drawn from, for a layer without input spec, with several inputs, or of a rank that
            is neither 2 nor 3 where it takes a mask.
    """
    if inspect.isclass(layer):
        raise InvalidArgument(
            f"from_layer takes a layer, not the class {layer.__name__}. Make one: {layer.__name__}(...)."
        )
    given = getattr(layer, "input_spec", None)
    specs = given if isinstance(given, (list, tuple)) else [given]
    inputs: Sequence[Any] = getattr(layer, "inputs", None) or ()
    if specs == [None] and len(inputs) == 1:  # a model: its input has shape and dtype
        return draw(_array_of(inputs[0], max_batch, max_length))
    if len(specs) != 1 or specs[0] is None:
        raise InvalidArgument(
            f"{type(layer).__name__} has {'no input_spec' if given is None else f'{len(specs)} input specs'}, so its "
            "input is not known. Say it: batches(...), values(...) or from_signature(...)."
        )
    spec = specs[0]
    axes: dict[int, int] = {int(axis): int(length) for axis, length in (spec.axes or {}).items() if length is not None}
    shape = getattr(spec, "shape", None)
    if shape is None and (built := _built_shape(layer)) is not None:
        # The layer was built for so many features, whatever rows and steps it met then.
        shape = (*[None] * (len(built) - 1), built[-1])
    rank = len(shape) if shape is not None else (spec.ndim or spec.min_ndim or 3)
    mask = _takes_mask(layer)
    if mask and spec.ndim is None and shape is None:
        rank = 3
    known: list[int | None] = list(shape) if shape is not None else [None] * rank
    for axis, length in axes.items():
        known[axis] = length
    known[0] = None  # a layer says nothing binding about the number of rows
    if known[-1] is None and rank >= 2:
        known[-1] = 3
    dtype = arguments.dtype_of("dtype", getattr(layer, "compute_dtype", None) or getattr(layer, "dtype", "float32"))
    if mask:
        if rank not in (2, 3):
            raise InvalidArgument(
                f"{type(layer).__name__} takes a mask and inputs of rank {rank}; a batch has rank 2 or 3. "
                "Use values(shape=…) and masks(…)."
            )
        found = _Spec((*known,) if rank == 3 else (known[0], None), dtype)
        return draw(batches(**_limits(found, max_batch, max_length)))
    return draw(_array_of(_Spec(tuple(known), dtype), max_batch, max_length))
