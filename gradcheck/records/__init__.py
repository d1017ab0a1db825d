"""Results as plain data, which anything may import: they know neither how they were found nor how they are shown.

- `results`: `Entry`, and `ModeResult`, what one mode came to.
- `report`: `ReportRecord`, the results of one check.
- `evidence`: `Evidence`, what pictures are made from, measured when it is looked up.
"""
