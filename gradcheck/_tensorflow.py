"""The one place that imports TensorFlow: late, quietly, and with a clear message where there is none."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from gradcheck.errors import MissingTensorFlowError

__all__ = ["tensorflow", "versions"]


def tensorflow() -> Any:
    """The `tensorflow` module.

    Raises:
        MissingTensorFlowError: where it is not installed, or is installed and does not load.
    """
    loaded = sys.modules.get("tensorflow")  # asked for some times with every call of a subject
    if loaded is not None:
        return loaded
    # TensorFlow prints a page about CPU features and missing GPUs at import; a user's own choice is respected.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        return importlib.import_module("tensorflow")
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise MissingTensorFlowError(
                f"TensorFlow is installed but does not load: {error}. It needs that module beside it; reinstall "
                "TensorFlow, or install the module it names."
            ) from error
        raise MissingTensorFlowError(
            "gradcheck needs TensorFlow 2.8 or later to check anything, and none is installed. Install the build "
            "you use yourself, or: pip install 'tf-gradcheck[tensorflow]' "
            "(or 'tf-gradcheck[tensorflow-cpu]' where there is no GPU)."
        ) from error
    except (ImportError, TypeError, AttributeError) as error:  # what NumPy or protobuf of the wrong age raise
        raise MissingTensorFlowError(
            f"TensorFlow is installed but does not load: {type(error).__name__}: {str(error).splitlines()[0]}. "
            "Usually NumPy or protobuf is newer than this TensorFlow accepts (TensorFlow 2.8 needs numpy<1.24 and "
            "protobuf<3.20)."
        ) from error


def versions() -> dict[str, str]:
    """Versions of what a result depends on: python, tensorflow, keras and numpy."""
    import platform

    import numpy as np

    tf = tensorflow()
    return {
        "python": platform.python_version(),
        "tensorflow": str(tf.__version__),
        "keras": _keras_version(tf),
        "numpy": str(np.__version__),
    }


def _keras_version(tf: Any) -> str:
    """Version of the Keras that ``tf.keras`` is; empty where it cannot be told.

    ``tf.keras`` itself has no version on TensorFlow 2.12 to 2.15 and with ``tf_keras``; the package that its layers
    come from has one.
    """
    package = tf.keras.layers.Layer.__module__.partition(".")[0]
    return str(getattr(importlib.import_module(package), "__version__", ""))
