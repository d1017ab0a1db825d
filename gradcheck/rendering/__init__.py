"""Reports as text: a report, the table subject x mode, a search, and the one-line cause of an error.

Nothing here needs TensorFlow, so that results are read where it is not installed.
"""

from __future__ import annotations

from gradcheck.rendering.causes import cause_of, is_unsupported
from gradcheck.rendering.matrix import render_matrix
from gradcheck.rendering.search import render_search
from gradcheck.rendering.text import render_report

__all__ = ["cause_of", "is_unsupported", "render_matrix", "render_report", "render_search"]
