"""Keras layers and models as the code that builds them, weights included."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.reproduce.literals import Unwritable

if TYPE_CHECKING:
    from gradcheck.reproduce.sources import Script

__all__ = ["restored_weights", "write_layer"]


def _is_layer(thing: Any) -> bool:
    import tensorflow as tf

    # tf_keras and standalone Keras have a Layer of their own.
    return isinstance(thing, tf.keras.layers.Layer) or (
        hasattr(thing, "get_config") and hasattr(thing, "weights") and hasattr(thing, "build") and callable(thing)
    )


def write_layer(script: Script, layer: Any, wish: str) -> str | None:
    """Define a Keras layer in the script and return its name, or None where the object is none.

    The weights follow with `restored_weights`, once the layer was called and so has them.

    Raises:
        Unwritable: where neither its configuration nor its attributes say how the layer is made.
    """
    if not _is_layer(layer):
        return None
    kind = script.expression(type(layer), type(layer).__name__)
    code = _from_config(script, layer, kind) or _from_attributes(script, layer, kind)
    name = wish if wish.isidentifier() and wish != "value" else type(layer).__name__.lower()
    name = script.define(name, code, layer)
    script.layers.append((layer, name))
    return name


def _from_config(script: Script, layer: Any, kind: str) -> str | None:
    try:
        config = layer.get_config()
        # The layer must come back from it, and be the same: many a custom layer inherits a get_config that forgets
        # its own arguments.
        again = type(layer).from_config(config)
        if again.get_config() != config or not _same_settings(layer, again):
            return None
        code = script.expression(config, "config")
    except Exception:  # noqa: BLE001 - whatever a layer's own code raises, it has no usable configuration
        return None
    return f"{kind}.from_config({code})"


def _same_settings(layer: Any, again: Any) -> bool:
    plain = (bool, int, float, str, type(None))
    mine, its = vars(layer), vars(again)
    # Made by calls, not by the constructor.
    made = ("built", "_built", "_called", "name", "_name", "stateful", "_is_compiled", "_build_input_shape")
    return all(
        name in its and its[name] == value
        for name, value in mine.items()
        if type(value) in plain and name not in made and not name.startswith(("_self_", "_obj_", "_auto_", "_losses", "_build"))
    )


def _from_attributes(script: Script, layer: Any, kind: str) -> str:
    """The constructor's call, its arguments read back from attributes of the same name."""
    arguments = []
    for name, parameter in list(inspect.signature(type(layer).__init__).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        for attribute in (name, f"_{name}"):
            if attribute in vars(layer) or isinstance(getattr(type(layer), attribute, None), property):
                arguments.append(f"{name}={script.expression(getattr(layer, attribute), name)}")
                break
        else:
            if parameter.default is parameter.empty:
                raise Unwritable(
                    f"the argument {name} of {type(layer).__name__}, which the layer keeps in no attribute of that name; "
                    "a get_config that returns it would say how the layer is made"
                )
    parameters = inspect.signature(type(layer).__init__).parameters
    takes_dtype = "dtype" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if takes_dtype and "dtype" not in {argument.split("=")[0] for argument in arguments}:
        arguments.append(f"dtype={str(layer.dtype)!r}")
    return f"{kind}({', '.join(arguments)})"


def _variables(layer: Any) -> list[Any]:
    return list(getattr(layer, "variables", None) or layer.weights)


def restored_weights(script: Script, layer: Any, name: str) -> list[str]:
    """Statements that give a built layer its weights back: exactly, or with a remark where they are too many."""
    variables = _variables(layer)
    if not variables:
        return []
    values = [np.asarray(variable) for variable in variables]
    attribute = "variables" if getattr(layer, "variables", None) else "weights"
    try:
        codes = [script.expression(value, "weight") for value in values]
    except Unwritable:
        count = sum(value.size for value in values)
        script.remarks.append(
            f"The {count} weights of {type(layer).__name__} are too many to be written here: the script draws others of "
            "ordinary size, so the numbers differ, and the failure may not show."
        )
        return [
            "rng = np.random.default_rng(0)",
            f"for variable in {name}.trainable_variables:",
            "    variable.assign(rng.normal(0.0, 0.3, variable.shape))",
        ]
    lines = [f"for variable, weight in zip({name}.{attribute}, ["]
    lines += ["    " + code.replace("\n", "\n    ") + "," for code in codes]
    return [*lines, "]):", "    variable.assign(weight)"]
