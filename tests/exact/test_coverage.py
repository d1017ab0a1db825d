"""What the rules cover of the TensorFlow that is here."""

from __future__ import annotations

import tensorflow as tf

from gradcheck.exact.coverage import coverage
from gradcheck.exact.table import RULES


def test_every_kind_has_one_place() -> None:
    covered = coverage()
    assert len({item.op for item in covered}) == len(covered)
    for item in covered:
        assert (item.how in ("rule", "linear")) == bool(item.family) == (item.op in RULES)
        assert bool(item.why) != bool(item.family)


def test_most_operations_with_a_gradient_have_a_rule() -> None:
    """TensorFlow 2.21 has 269 that compute with numbers; the others are control flow, handles and other devices."""
    differentiable = [item for item in coverage() if item.gradient]
    assert sum(item.how in ("rule", "linear") for item in differentiable) >= 280
    assert sum(item.how == "none" for item in differentiable) < 75


def test_it_is_about_the_tensorflow_that_is_here() -> None:
    names = {item.op for item in coverage()}
    assert all(hasattr(tf.raw_ops, name) or name.startswith(("_", "Ref")) for name in names if name in RULES)
