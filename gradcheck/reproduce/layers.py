"""Keras layers and models as the code that builds them, weights included."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.reproduce.literals import UnwritableError

if TYPE_CHECKING:
    from gradcheck.reproduce.sources import Script

__all__ = ["restored_weights", "same_layer", "write_layer"]


def _is_layer(thing: Any) -> bool:
    import tensorflow as tf

    # tf_keras and standalone Keras have a Layer of their own.
    return isinstance(thing, tf.keras.layers.Layer) or (
        hasattr(thing, "get_config") and hasattr(thing, "weights") and hasattr(thing, "build") and callable(thing)
    )


def write_layer(script: Script, layer: Any, wish: str) -> str | None:
    """Define a Keras layer in the script and return its name, or None where the object is none.

    The weights follow with `restored_weights`, once the layer was called and so has them. Initializers, regularizers
    and whatever else has a Keras configuration are written likewise.

    Raises:
        UnwritableError: where neither its configuration nor its attributes say how the layer is made.
    """
    if not _is_layer(layer):
        if not (hasattr(layer, "get_config") and hasattr(type(layer), "from_config")):
            return None
        return _from_config(script, layer, script.expression(type(layer), type(layer).__name__))
    kind = script.expression(type(layer), type(layer).__name__)
    code = _from_config(script, layer, kind) or _from_attributes(script, layer, kind)
    name = wish if wish.isidentifier() and wish != "value" else type(layer).__name__.lower()
    name = script.define(name, code, layer)
    script.layers.append((layer, name))
    return name


def _from_config(script: Script, layer: Any, kind: str) -> str | None:
    """The call that makes the layer, by the shortest configuration that gives it back; None where none does."""
    cls = type(layer)
    custom = _own_classes(script, layer)
    try:
        config = layer.get_config()
        # The layer must come back from it, and be the same: many a custom layer inherits a get_config that forgets
        # its own arguments. Some take what they need out of the dict that they are given.
        taken = layer.get_config()
        again = cls.from_config(taken, custom_objects=_classes(layer)) if custom else cls.from_config(taken)
        if not same_layer(layer, again):
            return None
        short = _shortened(layer, config)
        if short is not None:
            return f"{kind}({', '.join(f'{key}={script.expression(value, key)}' for key, value in short.items())})"
        objects = f", custom_objects={custom}" if custom else ""
        return f"{kind}.from_config({script.expression(config, 'config')}{objects})"
    except Exception:
        return None


def _classes(layer: Any) -> dict[str, Any]:
    """Classes of the user's own among the layers inside a model."""
    inner = getattr(layer, "layers", None)
    inner = inner if isinstance(inner, (list, tuple)) else []
    own = {type(part).__name__: type(part) for part in inner}
    return {
        name: cls
        for name, cls in own.items()
        if cls.__module__.split(".")[0] not in ("keras", "tf_keras", "tensorflow")
    }


def _own_classes(script: Script, layer: Any) -> str:
    classes = _classes(layer)
    if not classes:
        return ""
    return "{" + ", ".join(f"{name!r}: {script.expression(cls, name)}" for name, cls in classes.items()) + "}"


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    # Keras numbers layers as they are made.
    return {key: value for key, value in config.items() if key != "name"}


def same_layer(layer: Any, again: Any) -> bool:
    """Whether two layers have one configuration, and equal attributes by the names of the constructor's arguments."""
    if _settings(layer.get_config()) != _settings(again.get_config()) or _dtypes(layer) != _dtypes(again):
        return False
    plain = (bool, int, float, str, type(None))
    for name in inspect.signature(type(layer).__init__).parameters:
        for attribute in (name, f"_{name}"):
            mine = vars(layer).get(attribute)
            if name != "name" and type(mine) in plain and vars(again).get(attribute) != mine:
                return False
    return True


def _dtypes(layer: Any) -> tuple[str, str]:
    """Of weights and computation; the configuration that Keras 2.13 to 2.15 makes up for a layer forgets them."""
    return str(getattr(layer, "dtype", "")), str(getattr(layer, "compute_dtype", ""))


def _shortened(layer: Any, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments of the constructor that are not left at their defaults; None where it must be ``from_config``."""

    def enough(arguments: dict[str, Any]) -> bool:
        try:
            return same_layer(layer, type(layer)(**arguments))
        except Exception:
            return False

    arguments = {key: _plain_dtype(value) if key == "dtype" else value for key, value in config.items()}
    if hasattr(layer, "layers") or not all(key.isidentifier() for key in arguments) or not enough(arguments):
        return None
    for key in list(arguments):
        fewer = {name: value for name, value in arguments.items() if name != key}
        if enough(fewer):
            arguments = fewer
    return arguments


def _plain_dtype(value: Any) -> Any:
    """Keras 3 writes a dtype policy as a nested configuration."""
    if isinstance(value, Mapping) and value.get("class_name") in ("DTypePolicy", "Policy"):
        return value["config"]["name"]
    return value


def _from_attributes(script: Script, layer: Any, kind: str) -> str:
    """The constructor's call, its arguments read back from attributes of the same name."""
    given: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(type(layer).__init__).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        for attribute in (name, f"_{name}"):
            if attribute in vars(layer) or isinstance(getattr(type(layer), attribute, None), property):
                given[name] = getattr(layer, attribute)
                break
        else:
            if parameter.default is parameter.empty:
                raise UnwritableError(
                    f"the argument {name} of {type(layer).__name__}, which is kept in no attribute of that name; "
                    "a get_config that returns it would say how the layer is made"
                )
    parameters = inspect.signature(type(layer).__init__).parameters
    takes_dtype = "dtype" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    # A layer that sets its dtype itself hands it on beside the caller's, who must give none.
    if takes_dtype and "dtype" not in given and not _has_dtype(layer, given):
        given["dtype"] = str(layer.dtype)
    return f"{kind}({', '.join(f'{name}={script.expression(value, name)}' for name, value in given.items())})"


def _has_dtype(layer: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether the constructor gives the layer's dtypes without being told them."""
    try:
        return _dtypes(type(layer)(**arguments)) == _dtypes(layer)
    except Exception:
        return False


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
    except UnwritableError:
        count = sum(value.size for value in values)
        script.remarks.append(
            f"The {count} weights of {type(layer).__name__} are too many to be written here: the script draws others "
            "of ordinary size, so the numbers differ, and the failure may not show."
        )
        return [
            "rng = np.random.default_rng(0)",
            f"for variable in {name}.trainable_variables:",
            "    variable.assign(rng.normal(0.0, 0.3, variable.shape))",
        ]
    lines = [f"for variable, weight in zip({name}.{attribute}, ["]
    lines += ["    " + code.replace("\n", "\n    ") + "," for code in codes]
    return [*lines, "]):", "    variable.assign(weight)"]
