"""``python -m gradcheck``: the command line, where no script is on the path."""

from __future__ import annotations

from gradcheck.cli import main

if __name__ == "__main__":
    main(prog_name="python -m gradcheck")
