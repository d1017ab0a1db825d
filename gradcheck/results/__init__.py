"""Many results: rows of result files (`rows`), read back (`reading`), put together (`collection`), compared.

`history` says since when something fails, `upgrade` what a new version breaks, `effort` how much was looked at.
"""
