"""The command line: ``gradcheck search``, ``variants``, ``report`` and ``doctor``.

Imports of TensorFlow, NumPy and Hypothesis happen inside the commands that need them, so that ``--help``,
shell completion and ``gradcheck report`` are quick and work where TensorFlow is not installed.
"""

from __future__ import annotations

import click

from gradcheck.cli.doctor import doctor
from gradcheck.cli.exits import EPILOG, CommandGroup
from gradcheck.cli.report import report
from gradcheck.cli.search import search
from gradcheck.cli.variants import variants

__all__ = ["main"]


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(package_name="tf-gradcheck", prog_name="gradcheck")
def main() -> None:
    """Property-based gradient checks for TensorFlow, in eager, graph, dynamic and XLA mode."""


for _command in (search, variants, report, doctor):
    main.add_command(_command)
