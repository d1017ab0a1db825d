"""From a wrong random projection to the wrong entry: halve the inputs, then the outputs, and look at each half."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.engines.jacobians import Examination, examine, project
from gradcheck.modes import Execution
from gradcheck.numerics import Status, screen, screen_steps

__all__ = ["locate", "locate_nonfinite"]


def locate(
    run: Execution,
    x: np.ndarray,
    found: Examination,
    *,
    eps: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    options: dict[str, Any],
) -> Examination | None:
    """The entry behind a mismatch of the projected engine, judged by itself; None where halving loses it.

    Takes about ``log2(x_size) + log2(y_size)`` rounds of a few dozen evaluations each.

    Args:
        run, x, eps, rows, columns, options: as for `gradcheck.engines.jacobians.examine`.
        found: what the projected engine found; at least one status is MISMATCH or NONFINITE.
    """
    assert found.directions is not None
    assert found.cotangents is not None
    judgement = found.judgement
    wrong = (judgement.status == Status.MISMATCH) | (judgement.status == Status.NONFINITE)
    k, m = np.unravel_index(int(np.argmax(np.where(wrong, judgement.excess, -1.0))), wrong.shape)
    direction, cotangent = found.directions[k], found.cotangents[m]
    level = float(eps.max())

    def worse(directions: np.ndarray, cotangents: np.ndarray) -> int:
        """Which of two halves is off the more."""
        off = _discrepancies(run, x, directions, cotangents, noise=found.noise, eps=level, columns=columns)
        if off is not None:
            return int(np.argmax(off))
        half = project(
            run, x, eps=level, rows=rows, columns=columns, seed=0, options=options,
            directions=directions, cotangents=cotangents,
        )  # fmt: skip
        return int(np.argmax(half.judgement.excess.reshape(-1)))

    places = columns
    while places.size > 1:
        halves = np.array_split(places, 2)
        places = halves[worse(np.stack([_only(direction, half) for half in halves]), cotangent[None])]
    column = places
    unit = _only(np.ones_like(direction), column)
    places = rows
    while places.size > 1:
        halves = np.array_split(places, 2)
        places = halves[worse(unit[None], np.stack([_only(cotangent, half) for half in halves]))]
    row = places
    pulled = run.pullback(x, _only(np.ones_like(cotangent), row)[None])[0]
    # One row is known; a view repeats it, so that no Jacobian of the full size is ever held.
    jacobian = np.broadcast_to(pulled, (cotangent.size, x.size))
    single = examine(run, x, jacobian, eps=eps, rows=row, columns=column, options=options)
    return single if (single.judgement.status == Status.MISMATCH).any() else None


def _discrepancies(
    run: Execution,
    x: np.ndarray,
    directions: np.ndarray,
    cotangents: np.ndarray,
    *,
    noise: np.ndarray,
    eps: float,
    columns: np.ndarray,
) -> np.ndarray | None:
    """How far theoretical and numerical lie apart, for each pair, from three steps; None where these do not suffice."""
    steps = screen_steps(np.full(len(directions), np.median(np.abs(x[columns]))), eps=eps)  # [3, n]
    offsets = (steps[:, :, None] * directions).reshape(-1, x.size)
    values = run.evaluate(np.concatenate([x[None], x + offsets, x - offsets]))
    outputs = np.where(cotangents.any(axis=0), values, 0.0) @ cotangents.T
    plus, minus = outputs[1:].reshape(2, *steps.shape, len(cotangents))
    spread = np.sqrt((cotangents**2) @ np.where(np.isfinite(noise), noise, 0.0) ** 2)
    estimate = screen(outputs[0], plus, minus, steps, spread)
    if estimate.suspicious.any():
        return None
    theory = directions[:, columns] @ run.pullback(x, cotangents)[:, columns].T
    return np.asarray(np.abs(theory - estimate.value).reshape(-1))


def locate_nonfinite(
    run: Execution, x: np.ndarray, cotangent: np.ndarray, *, rows: np.ndarray, columns: np.ndarray
) -> tuple[int, np.ndarray] | None:
    """The output whose gradient is not finite, by halving the outputs: about ``log2(y_size)`` rounds of two pullbacks.

    Args:
        run, x, rows, columns: as for `gradcheck.engines.jacobians.examine`.
        cotangent: ``[y_size]``, pulled back to something that is not finite.

    Returns:
        Its number and its gradient ``[x_size]``; None where the gradient of each output is finite, and only the sum
        overflows.
    """
    places = rows
    while places.size > 1:
        halves = np.array_split(places, 2)
        pulled = run.pullback(x, np.stack([_only(cotangent, half) for half in halves]))
        bad = ~np.isfinite(pulled[:, columns]).all(axis=1)
        if not bad.any():
            return None
        places = halves[int(np.argmax(bad))]
    gradient = run.pullback(x, _only(np.ones_like(cotangent), places)[None])[0]
    return None if np.isfinite(gradient[columns]).all() else (int(places[0]), gradient)


def _only(weights: np.ndarray, places: np.ndarray) -> np.ndarray:
    kept = np.zeros_like(weights)
    kept[places] = weights[places]
    return kept
