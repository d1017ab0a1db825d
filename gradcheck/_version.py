"""The version of this distribution: a module of its own, so that any file may read it."""

__all__ = ["__version__"]

__version__ = "0.1.0"
