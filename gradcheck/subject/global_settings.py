"""Settings of Python, NumPy, TensorFlow and Keras that a subject may change, and that a check sets back.

All of them are in one table, `SETTINGS`. What is not in it stays as the subject left it: docs/guarantees.md lists both.
Values are compared before anything is written, since most checks change nothing and setting some of these costs time.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["SETTINGS", "Setting", "settings_preserved"]


@dataclass(frozen=True)
class Setting:
    """One thing that is set back.

    Attributes:
        name: for the page of guarantees.
        read: its present value, comparable with ``==``; None where there is none, such as of a package not imported.
        write: gives it a value that was read before.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], None]


@contextlib.contextmanager
def settings_preserved() -> Iterator[None]:
    """Set back, also after an exception, every setting in `SETTINGS` that changed while this lasts."""
    before = [setting.read() for setting in SETTINGS]
    try:
        yield
    finally:
        for setting, value in zip(SETTINGS, before, strict=True):
            if value is not None and setting.read() != value:
                with contextlib.suppress(OSError, ValueError, RecursionError):  # a folder that is gone, for example
                    setting.write(value)


# -- Python --------------------------------------------------------------------------------------------------


def _set_environment(before: dict[str, str]) -> None:
    for name in set(os.environ) - set(before):
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


def _read_path() -> tuple[int, list[str]]:
    _PATHS[id(sys.path)] = sys.path
    return id(sys.path), list(sys.path)


def _write_path(before: tuple[int, list[str]]) -> None:
    sys.path = _PATHS[before[0]]
    sys.path[:] = before[1]


_PATHS: dict[int, list[str]] = {}  # lists that were sys.path: Python keeps using the one it was started with


class _Identical:
    """A value that is equal to itself only, with what it held."""

    def __init__(self, thing: Any, held: Any = None) -> None:
        self.thing, self.held = thing, held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identical) and self.thing is other.thing and self.held == other.held

    __hash__ = None  # type: ignore[assignment]


def _read_filters() -> _Identical:
    return _Identical(warnings.filters, (list(warnings.filters), warnings.showwarning))


def _write_filters(before: _Identical) -> None:
    filters, warnings.showwarning = before.held
    warnings.filters = before.thing
    warnings.filters[:] = filters  # type: ignore[index]
    mutated = getattr(warnings, "_filters_mutated", None)
    if mutated is not None:  # Python remembers what a filter said of a line
        mutated()


# TensorFlow's and Keras's loggers, and the root. Those of other packages are theirs.
_LOGGERS = ("", "tensorflow", "absl", "keras")


def _read_logging() -> tuple[Any, ...]:
    known = logging.root.manager.loggerDict
    loggers = [logging.getLogger(name) for name in _LOGGERS if not name or name in known]
    states = [(log, log.level, list(log.handlers), log.propagate, log.disabled) for log in loggers]
    return logging.root.manager.disable, states


def _write_logging(before: tuple[Any, ...]) -> None:
    logging.disable(before[0])
    for log, level, handlers, log.propagate, log.disabled in before[1]:
        log.setLevel(level)
        log.handlers[:] = handlers


def _read_streams() -> tuple[_Identical, ...]:
    return tuple(_Identical(stream) for stream in (sys.stdout, sys.stderr, sys.stdin))


def _write_streams(before: tuple[_Identical, ...]) -> None:
    sys.stdout, sys.stderr, sys.stdin = (stream.thing for stream in before)


# -- NumPy ---------------------------------------------------------------------------------------------------


def _read_numpy_errors() -> tuple[Any, ...]:
    return np.geterr(), np.geterrcall(), np.getbufsize()


def _write_numpy_errors(before: tuple[Any, ...]) -> None:
    np.seterr(**before[0])
    np.seterrcall(before[1])
    np.setbufsize(before[2])


def _read_numpy_random() -> tuple[Any, ...]:
    state: Any = np.random.get_state(legacy=True)
    name, keys, *rest = state
    return name, keys.tobytes(), *rest


def _write_numpy_random(before: tuple[Any, ...]) -> None:
    name, keys, *rest = before
    np.random.set_state((name, np.frombuffer(keys, np.uint32), *rest))


# -- TensorFlow ----------------------------------------------------------------------------------------------


def _context() -> Any:
    """TensorFlow's context for eager execution; None where TensorFlow was not imported."""
    module = sys.modules.get("tensorflow.python.eager.context")
    return None if module is None else module.context()


def _read_seed() -> tuple[Any, ...] | None:
    context = _context()
    if context is None:
        return None
    rng = getattr(context, "_rng", None)  # the seeds of eager random operations are drawn from it
    return getattr(context, "_seed", None), _Identical(rng, None if rng is None else rng.getstate())


def _write_seed(before: tuple[Any, ...]) -> None:
    context = _context()
    context._seed = before[0]
    context._rng = before[1].thing
    if before[1].thing is not None:
        before[1].thing.setstate(before[1].held)


def _read_generator() -> _Identical | None:
    module = sys.modules.get("tensorflow.python.ops.stateful_random_ops")
    if module is None:
        return None
    generator = getattr(module, "global_generator", None)  # asking the public function would create it
    return _Identical(generator, None if generator is None else generator.state.numpy().tobytes())


def _write_generator(before: _Identical) -> None:
    module = sys.modules["tensorflow.python.ops.stateful_random_ops"]
    module.global_generator = before.thing  # type: ignore[attr-defined]
    if before.thing is not None:
        state = before.thing.state
        state.assign(np.frombuffer(before.held, state.dtype.as_numpy_dtype).reshape(state.shape))


def _of_context(*names: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """How to read and write attributes of TensorFlow's context: its public getters build a message of all settings."""

    def read() -> Any:
        context = _context()
        if context is None:
            return None
        values = (getattr(context, name, None) for name in names)
        return [dict(value) if isinstance(value, dict) else value for value in values]

    def write(before: Any) -> None:
        context = _context()
        for name, value in zip(names, before, strict=True):
            if hasattr(context, name):
                setattr(context, name, dict(value) if isinstance(value, dict) else value)
        context._thread_local_data.function_call_options = None  # made of these

    return read, write


def _of_config(getter: str, setter: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """How to read and write a setting for which ``tf.config`` has functions of these names."""

    def found(path: str) -> Any:
        tensorflow = sys.modules.get("tensorflow")
        holder = getattr(tensorflow, "config", None)
        for name in path.split("."):
            holder = getattr(holder, name, None)
        return holder

    def read() -> Any:
        get = found(getter)
        return None if get is None else get()

    return read, lambda before: found(setter)(before)


def _read_placement() -> Any:
    context = _context()
    return None if context is None else (context._soft_device_placement, context._log_device_placement)


def _write_placement(before: Any) -> None:
    context = _context()
    soft, log = before
    if context._soft_device_placement != soft:
        # None says that nobody chose, which means that operations may be placed elsewhere.
        context.soft_device_placement = True if soft is None else soft
        context._soft_device_placement = soft
    if context._log_device_placement != log:
        context.log_device_placement = bool(log)
        context._log_device_placement = log


# -- Keras ---------------------------------------------------------------------------------------------------


def _of_modules(*places: tuple[str, str]) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """How to read and write attributes of modules, of those that are imported: Keras 2, Keras 3 or both."""

    def read() -> Any:
        found = []
        for module, name in places:
            held = getattr(sys.modules.get(module), "__dict__", {})
            if name in held:
                found.append((module, name, held[name]))
        return found

    def write(before: Any) -> None:
        for module, name, value in before:
            if module in sys.modules:
                setattr(sys.modules[module], name, value)

    return read, write


_KERAS_CONFIG = (
    *("keras.src.backend.config", "keras.backend_config", "keras.src.backend_config"),
    *("tf_keras.src.backend_config", "tensorflow.python.keras.backend_config"),
)
_KERAS_POLICY = (
    *("keras.mixed_precision.policy", "keras.src.mixed_precision.policy", "tf_keras.src.mixed_precision.policy"),
    "tensorflow.python.keras.mixed_precision.policy",
)
_MIXED = "tensorflow.python.training.experimental.mixed_precision_global_state"


def _keras_3(name: str) -> Any:
    """What Keras 3 keeps under a name for the whole process; None where there is nothing, or no Keras 3."""
    module = sys.modules.get("keras.src.backend.common.global_state")
    return None if module is None else module.get_global_attribute(name, None)


def _set_keras_3(name: str, value: Any) -> None:
    module = sys.modules.get("keras.src.backend.common.global_state")
    if module is not None:
        module.set_global_attribute(name, value)


def _read_keras_seeds() -> list[_Identical]:
    """Keras 3's seed and its generator of seeds; and Keras 2's."""
    generator = _keras_3("global_seed_generator")
    state = None if generator is None else np.asarray(generator.state).tobytes()
    seeds = [_Identical(generator, (state, _keras_3("global_random_seed")))]
    for holder in _keras_2_seeds():
        older = getattr(holder, "generator", None)
        seeds.append(_Identical(older, None if older is None else older.getstate()))
    return seeds


def _keras_2_seeds() -> list[Any]:
    modules = (sys.modules.get(name) for name in ("keras.backend", "keras.src.backend", "tf_keras.src.backend"))
    found = (getattr(module, "_SEED_GENERATOR", None) for module in modules)
    return [holder for holder in found if holder is not None]


def _write_keras_seeds(before: list[_Identical]) -> None:
    generator, *older = before
    _set_keras_3("global_seed_generator", generator.thing)
    _set_keras_3("global_random_seed", generator.held[1])
    if generator.thing is not None:
        state = generator.thing.state
        state.assign(np.frombuffer(generator.held[0], state.dtype).reshape(state.shape))
    for holder, seeds in zip(_keras_2_seeds(), older, strict=False):
        holder.generator = seeds.thing
        if seeds.thing is not None:
            seeds.thing.setstate(seeds.held)


SETTINGS: tuple[Setting, ...] = (
    Setting("environment variables", lambda: dict(os.environ), _set_environment),
    Setting("working directory", _folder, os.chdir),
    Setting("`sys.path`", _read_path, _write_path),
    Setting("recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Setting("`sys.stdout`, `sys.stderr` and `sys.stdin`", _read_streams, _write_streams),
    Setting("automatic garbage collection", gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    Setting("warning filters", _read_filters, _write_filters),
    Setting("logging: the root logger and those of TensorFlow, absl and Keras", _read_logging, _write_logging),
    Setting("Python's random state", random.getstate, random.setstate),
    Setting("NumPy's random state", _read_numpy_random, _write_numpy_random),
    Setting("NumPy's print options", np.get_printoptions, lambda options: np.set_printoptions(**options)),
    Setting("NumPy's error state and buffer size", _read_numpy_errors, _write_numpy_errors),
    Setting("TensorFlow's global seed", _read_seed, _write_seed),
    Setting("TensorFlow's global generator", _read_generator, _write_generator),
    Setting("`run_functions_eagerly`", *_of_config("functions_run_eagerly", "run_functions_eagerly")),
    Setting("`set_jit` and optimizer options", *_of_context("_optimizer_jit", "_optimizer_experimental_options")),
    Setting("soft device placement and its logging", _read_placement, _write_placement),
    Setting(
        "TensorFloat-32",
        *_of_config("experimental.tensor_float_32_execution_enabled", "experimental.enable_tensor_float_32_execution"),
    ),
    Setting(
        "AutoGraph's verbosity",
        *_of_modules(("tensorflow.python.autograph.utils.ag_logging", "verbosity_level")),
    ),
    Setting("Keras's floatx", *_of_modules(*((module, "_FLOATX") for module in _KERAS_CONFIG))),
    Setting("Keras's epsilon", *_of_modules(*((module, "_EPSILON") for module in _KERAS_CONFIG))),
    Setting("Keras's image data format", *_of_modules(*((module, "_IMAGE_DATA_FORMAT") for module in _KERAS_CONFIG))),
    Setting(
        "dtype policy of Keras 2",
        *_of_modules(
            *((module, "_global_policy") for module in _KERAS_POLICY),
            *((_MIXED, name) for name in ("_using_mixed_precision_policy", "using_mixed_precision_policy")),
        ),
    ),
    Setting(
        "dtype policy of Keras 3",
        lambda: [_Identical(_keras_3("dtype_policy"))],
        lambda before: _set_keras_3("dtype_policy", before[0].thing),
    ),
    Setting("Keras's seeds", _read_keras_seeds, _write_keras_seeds),
)
