"""Variable-length layers written each way that people write them, and what is known to happen to each.

``gradcheck variants`` and ``nox -s tf28`` check them all on the TensorFlow that runs. Importing this package
does not import TensorFlow; a variant's ``subject``, `measure_claims` and `run_variants` do.
"""

from __future__ import annotations

from gradcheck.variants.catalog import Variant, catalog
from gradcheck.variants.claims import CLAIMS, Claim, ClaimResult, Observation, measure_claims
from gradcheck.variants.expectations import Expectation, expected
from gradcheck.variants.run import VariantCell, VariantsResult, run_variants

__all__ = [
    "CLAIMS",
    "Claim",
    "ClaimResult",
    "Expectation",
    "Observation",
    "Variant",
    "VariantCell",
    "VariantsResult",
    "catalog",
    "expected",
    "measure_claims",
    "run_variants",
]
