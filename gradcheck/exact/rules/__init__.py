"""What is known of each operation: rules for values, a family a module. Importing this fills the table."""

from gradcheck.exact.rules import (
    calls,
    elementwise,
    indexing,
    linear_algebra,
    products,
    reductions,
    shapes,
    spectra,
)

__all__ = [
    "calls",
    "elementwise",
    "indexing",
    "linear_algebra",
    "products",
    "reductions",
    "shapes",
    "spectra",
]
