"""The variables that a subject reaches, whichever way: read off the graph that it is traced to.

A variable may be closed over by a function within a function, or be an attribute of an attribute. A traced graph
captures its handle all the same, also where the graph only assigns it, or where only the gradient reads it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from gradcheck._tensorflow import tensorflow

__all__ = ["Reached", "captured_variables", "created_variables", "is_random_state"]


class Reached:
    """A variable of which only the handle is known: what a check needs of a `tf.Variable`.

    Attributes:
        handle: the resource, a scalar tensor.
        dtype: the dtype of its value.
        shape: the shape of its value.
        trainable: False: no tape watches a handle.
        name: for reports.
    """

    trainable = False
    name = "a variable"

    def __init__(self, handle: Any, dtype: Any, shape: Any) -> None:
        self.handle, self.dtype, self.shape = handle, dtype, shape

    def numpy(self) -> Any:
        """The value."""
        return self.value().numpy()

    def value(self) -> Any:
        """The value as a tensor."""
        return tensorflow().raw_ops.ReadVariableOp(resource=self.handle, dtype=self.dtype)

    def assign(self, value: Any) -> None:
        """Set the value, of the same dtype and shape."""
        tf = tensorflow()
        tf.raw_ops.AssignVariableOp(resource=self.handle, value=tf.convert_to_tensor(value, self.dtype))


def captured_variables(graph: Any) -> list[Any]:
    """The variables that a traced graph reads or assigns, its nested functions included."""
    tf = tensorflow()
    try:
        known = {id(variable.handle): variable for variable in graph.variables if hasattr(variable, "handle")}
    except AssertionError:  # one was deleted meanwhile: a variable that lives no longer than a call
        known = {}
    except AttributeError:  # TensorFlow took the graph apart: a first trace that made variables is repeated
        return []
    found = []
    for handle, _ in graph.captures:
        data = getattr(handle, "_handle_data", None)
        if handle.dtype != tf.resource or data is None or not data.is_set or len(data.shape_and_type) != 1:
            continue  # a constant, a table, an iterator
        dtype, shape = tf.as_dtype(data.shape_and_type[0].dtype), tf.TensorShape(data.shape_and_type[0].shape)
        if dtype in (tf.resource, tf.variant):
            continue
        variable = known.get(id(handle))
        found.append(Reached(handle, dtype, shape) if variable is None else variable)
    return found


def is_random_state(variable: Any) -> bool:
    """Whether a variable looks like the state of a `tf.random.Generator`.

    It has to be as it was after a check. But set back before each call it would make a random subject repeat itself,
    and nobody would see that it is random.
    """
    # What TensorFlow's generators hold, for each algorithm.
    return bool(variable.dtype == tensorflow().int64) and variable.shape.as_list() in ([2], [3])


@contextlib.contextmanager
def created_variables() -> Iterator[list[tuple[Any, Any]]]:
    """The variables that are created in eager mode while this lasts, each with the value that it was given."""
    made: list[tuple[Any, Any]] = []

    def create(following: Any, **arguments: Any) -> Any:
        variable = following(**arguments)
        if tensorflow().executing_eagerly():
            made.append((variable, variable.numpy()))
        return variable

    with tensorflow().variable_creator_scope(create):
        yield made
