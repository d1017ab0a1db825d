"""Fourier transforms: linear, through NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet
from gradcheck.exact.rules.shapes import apply, unmoved
from gradcheck.exact.rules.through import refuse
from gradcheck.exact.table import Bound, rule

__all__: list[str] = []


def _size(x: Any, axes: tuple[int, ...], shape: tuple[int, ...], inverse: bool) -> Array:
    """What the result rounds relative to: the root of the sum of squares of what it is the sum of."""
    v = np.abs(x.v if isinstance(x, Jet) else np.asarray(x))
    squares = np.sqrt(np.square(v).sum(axis=axes, keepdims=True))
    count = np.prod([shape[axis] for axis in axes], dtype=float) if inverse else 1.0
    return np.broadcast_to(squares / max(count, 1.0), shape)


def _sized(run: Bound, axes: tuple[int, ...], inverse: bool) -> Bound:
    def terms(x: Any, *rest: Any) -> Array:
        still = x.v if isinstance(x, Jet) else x
        return _size(x, axes, np.shape(run(None, still, *rest)), inverse)

    run.terms = terms  # type: ignore[attr-defined]
    return run


_COMPLEX: dict[str, tuple[Callable[..., Array], int]] = {
    "FFT": (np.fft.fftn, 1),
    "FFT2D": (np.fft.fftn, 2),
    "FFT3D": (np.fft.fftn, 3),
    "IFFT": (np.fft.ifftn, 1),
    "IFFT2D": (np.fft.ifftn, 2),
    "IFFT3D": (np.fft.ifftn, 3),
    "BatchFFT": (np.fft.fftn, 1),
    "BatchIFFT": (np.fft.ifftn, 1),
}


@rule(*_COMPLEX)
def _fft(node: Node) -> Bound:
    transform, count = _COMPLEX[node.op]
    axes = tuple(range(-count, 0))

    def run(_: Pass, x: Any) -> Any:
        return apply(x, lambda a, lead: transform(a, axes=axes) if a.size else a.astype(np.complex128))

    return _sized(run, axes, transform is np.fft.ifftn)


_REAL: dict[str, tuple[Callable[..., Array], int]] = {
    "RFFT": (np.fft.rfftn, 1),
    "RFFT2D": (np.fft.rfftn, 2),
    "RFFT3D": (np.fft.rfftn, 3),
    "IRFFT": (np.fft.irfftn, 1),
    "IRFFT2D": (np.fft.irfftn, 2),
    "IRFFT3D": (np.fft.irfftn, 3),
}


@rule(*_REAL)
def _real_fft(node: Node) -> Bound:
    transform, count = _REAL[node.op]
    axes = tuple(range(-count, 0))
    inverse = transform is np.fft.irfftn

    def run(_: Pass, x: Any, lengths: Any) -> Any:
        size = tuple(int(n) for n in unmoved(lengths))

        def operation(a: Array, lead: int) -> Array:
            if a.size == 0 or 0 in size:
                last = size[-1] if inverse else size[-1] // 2 + 1 if size[-1] else 0
                return np.zeros((*a.shape[:-count], *size[:-1], last), np.float64 if inverse else np.complex128)
            return transform(a, s=size, axes=axes)

        return apply(x, operation)

    return _sized(run, axes, inverse)


@rule("FFTND", "IFFTND", "RFFTND", "IRFFTND")
def _nd(node: Node) -> Bound:
    transform: Callable[..., Array] = getattr(np.fft, node.op[:-2].lower() + "n")

    def run(_: Pass, x: Any, lengths: Any, axes: Any) -> Any:
        refuse(node, "its lengths move", lengths, axes)
        size = tuple(int(n) for n in unmoved(lengths))
        rank = np.ndim(x.v if isinstance(x, Jet) else x)
        where = tuple(int(axis) % rank - rank for axis in unmoved(axes))
        return apply(x, lambda a, lead: transform(a, s=size, axes=where))

    return run
