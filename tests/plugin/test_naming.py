"""Which names of subjects are made up."""

from __future__ import annotations

import pytest

from gradcheck.support.naming import unnumbered


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("Dense 'dense'", "Dense"),
        ("SineLayer 'sine_layer_7'", "SineLayer"),
        ("Conv1D 'conv1d_3'", "Conv1D"),
        ("LSTM 'lstm'", "LSTM"),
        ("Dense 'mine'", "Dense 'mine'"),
        ("Dense 'dense_out'", "Dense 'dense_out'"),
        ("masked_mean", "masked_mean"),
        ("partial(masked mean)", "partial(masked mean)"),
    ],
)
def test_names_that_keras_made_up_are_left_out(subject: str, name: str) -> None:
    assert unnumbered(subject) == name
