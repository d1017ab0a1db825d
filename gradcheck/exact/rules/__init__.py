"""What is known of each operation: rules for values, a family a module. Importing this fills the table."""

from gradcheck.exact.rules import calls, elementwise, indexing, products, reductions, shapes

__all__ = ["calls", "elementwise", "indexing", "products", "reductions", "shapes"]
