"""The releases of TensorFlow that are supported.

- `table`: `RELEASES`, one row a release. It imports nothing of the package: the noxfile loads it by its path.
- `names`: the order of versions, and what they are called in short.
- `document`: ``docs/versions.md``, made from the table.
"""
