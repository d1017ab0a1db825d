"""What should make no difference to a subject, by name: other padding, other rows beside a row, another order of rows.

One is on by default for every subject that takes lengths or a mask: valid outputs, and their gradients, depend on valid
inputs only (the three that begin with ``padding``). The stronger ones are asked for by name. Each is held in each mode
by that mode's own execution.
"""

from __future__ import annotations

from gradcheck.invariants.names import BY_DEFAULT, INVARIANTS, Chosen, parse_invariants

__all__ = ["BY_DEFAULT", "INVARIANTS", "Chosen", "parse_invariants"]
