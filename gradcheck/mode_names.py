"""Names of modes and engines, which are also needed where nothing runs and TensorFlow, even NumPy, may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradcheck.errors import InputError, shown

__all__ = ["ACCURACIES", "ENGINES", "MODES", "mode_order", "parse_modes"]

MODES = ("eager", "graph", "dynamic", "xla")

ACCURACIES = ("strict",)

ENGINES = ("exact", "measured", "compiled", "reference", "projected")
"""Where the numbers come from that a gradient is compared with. ``compiled`` is an older name of ``measured``."""


def parse_modes(modes: str | Sequence[str] | None) -> tuple[str, ...]:
    """Check a choice of modes; all of them where it is None.

    Raises:
        InputError: for an unknown mode, or none at all.
    """
    if modes is None:
        return MODES
    if isinstance(modes, str):
        modes = [part.strip() for part in modes.split(",")]
    if not isinstance(modes, Iterable):
        raise InputError(f"modes must be names, such as 'eager,xla' or ('eager', 'xla'); got {shown(modes)}")
    chosen = tuple(modes)
    for mode in chosen:
        if not isinstance(mode, str) or mode not in MODES:
            raise InputError(f"unknown mode {shown(mode)}; the modes are {', '.join(MODES)}")
    if not chosen:
        raise InputError(f"modes is empty; choose from {', '.join(MODES)}")
    return tuple(dict.fromkeys(chosen))


def mode_order(mode: str) -> tuple[int, str]:
    """Sorts modes as they are always shown, with unknown ones last."""
    return (MODES.index(mode) if mode in MODES else len(MODES), mode)
