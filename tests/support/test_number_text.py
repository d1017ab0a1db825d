"""Numbers as people read them."""

import doctest

import pytest

from gradcheck.support import number_text as numbers


def test_the_examples_of_the_docstrings() -> None:
    assert doctest.testmod(numbers) == (0, 4)


@pytest.mark.parametrize("apart", [1e-3, 1e-9, 1e-12, 2.0**-53])
@pytest.mark.parametrize("size", [1e-30, 0.5, 3.0, 1e12])
def test_what_differs_looks_different(apart: float, size: float) -> None:
    first, second = size, size * (1 - apart)
    for shown in (numbers.pair(first, second), numbers.precise_pair(first, second)):
        assert shown[0] != shown[1]
        assert float(shown[0]) == pytest.approx(first, rel=max(apart, 1e-15))
