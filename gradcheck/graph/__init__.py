"""What the graph that a subject is traced to says about it.

- `operations`: its operations, those in the bodies of loops, branches and functions among them.
- `paths`: which operation cuts the path from an input to an output.
- `random_operations`: whether it draws random numbers.
- `constants`: the same graph with other numbers in the place of its constants.
"""
