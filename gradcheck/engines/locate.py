"""From a wrong random projection to the wrong entry: halve the inputs, then the outputs, and look at each half."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.engines.jacobians import Examination, examine, project
from gradcheck.modes import Execution
from gradcheck.numerics import Status

__all__ = ["locate"]


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


def _only(weights: np.ndarray, places: np.ndarray) -> np.ndarray:
    kept = np.zeros_like(weights)
    kept[places] = weights[places]
    return kept
