"""What is known of each operation: rules for values, a family a module. Importing this fills the table."""

from gradcheck.exact.rules import (
    backward,
    calls,
    elementwise,
    fft,
    images,
    indexing,
    linear_algebra,
    losses,
    products,
    ragged,
    reductions,
    shapes,
    sparse,
    spectra,
)

__all__ = [
    "backward",
    "calls",
    "elementwise",
    "fft",
    "images",
    "indexing",
    "linear_algebra",
    "losses",
    "products",
    "ragged",
    "reductions",
    "shapes",
    "sparse",
    "spectra",
]
