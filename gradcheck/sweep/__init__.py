"""Sweeps: many subjects × modes × dtypes × TensorFlow versions × seeds, here or on a cluster.

- `plan`: what there is to do, as `Unit`s, each with one result.
- `cutting`: units as chunks of measured cost, those that share compiled programs together.
- `store`: results as they come, in SQLite or PostgreSQL; each unit counts once. Light: reading needs no NumPy.
- `local`: chunks on the processors of this machine, under one or more interpreters.
- `cluster`, `remote`: chunks on Dask.distributed, and what its workers run.
- `progress`: what is done, failing and left.
- `run`: all of it together.
"""
