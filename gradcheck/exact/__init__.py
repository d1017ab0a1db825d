"""The exact reference: a traced forward graph interpreted over numbers that carry their derivatives.

Nothing here uses TensorFlow's gradients, so agreement with them is evidence. Reading order: `jets` (numbers),
`decisions` (ties), `graph` (plain data), `table` and `rules` (what each operation does), `interpreter`, `reference`.
"""
