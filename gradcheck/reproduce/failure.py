"""What a script has to show: one failure of one subject in one mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradcheck.verdicts import Verdict

__all__ = ["Failure"]


@dataclass(frozen=True)
class Failure:
    """One failure, with all that a script needs to show it again.

    Attributes:
        subject: what fails: a callable, a `tf.Module` or a Keras layer.
        args: its positional arguments: nested dicts, lists and tuples of NumPy arrays, eager tensors, ragged and
            sparse tensors, Python values.
        kwargs: its keyword arguments, likewise.
        mode: ``eager``, ``graph``, ``dynamic`` or ``xla``.
        verdict: what it came to.
        name: name of the subject in reports.
        call: how the subject is called, as ``call(subject, *args, **kwargs)``, where that was said.
        cause: the cause in one line, for the head of the script.
        where: the entry in words, for the head of the script.
        output_leaf: which of ``tf.nest.flatten(output, expand_composites=True)`` the entry is in; None where the
            output is a single tensor.
        output_position: place of the output element in it; None where the failure is not one of an entry.
        output_part: ``"real"`` or ``"imag"`` where the output is complex.
        input_kind: ``"argument"`` or ``"variable"``.
        input_leaf: which of ``tf.nest.flatten((args, kwargs))`` is differentiated (of a ragged or sparse tensor its
            flat values), or which of the subject's ``trainable_variables``.
        input_position: place of the input element in it; None where only outputs count.
        input_part: ``"real"`` or ``"imag"`` where the input is complex.
        variable: the variable that is differentiated, where the number ``input_leaf`` does not say it.
        step: half the distance of the central difference; None for one that suits the dtype.
        bound: how far two results may lie apart, for verdicts that compare results.
        before: the ``(args, kwargs)`` of a call that comes before, where it decides what a layer keeps.
        changed: for ``PADDING_LEAK`` the ``(args, kwargs)`` of the second call. Without it, or with an input element
            and no ``changed_input_position``, the leak is that the gradient at that element, a padded one, is not zero.
        changed_output_position: where the output element is in the second call, if not in the same place.
        changed_input_position: where the input element is in the second call, where its gradient is compared.
        dynamic_axes: for each leaf of ``tf.nest.flatten((args, kwargs))`` the axes that are unknown in dynamic mode.
        versions: versions of the packages with which the failure was found.
        gradient_of: of a failure of order 2 the number of the argument whose gradient is the output, counted as for
            ``input_leaf``; None for one of order 1.
    """

    subject: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    mode: str
    verdict: Verdict
    name: str = ""
    call: Callable[..., Any] | None = None
    cause: str = ""
    where: str = ""
    output_leaf: int | None = None
    output_position: tuple[int, ...] | None = None
    output_part: str = ""
    input_kind: str = "argument"
    input_leaf: int | None = None
    input_position: tuple[int, ...] | None = None
    input_part: str = ""
    variable: Any = None
    step: float | None = None
    bound: float | None = None
    before: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None
    changed: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None
    changed_output_position: tuple[int, ...] | None = None
    changed_input_position: tuple[int, ...] | None = None
    dynamic_axes: Sequence[tuple[int, ...]] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    gradient_of: int | None = None
