"""The command line: ``gradcheck search``, ``sweep``, ``replay``, ``variants``, ``zoo``,
``report``, ``doctor`` and ``demo``.

Imports of TensorFlow, NumPy and Hypothesis happen inside the commands that need them, so that ``--help``,
shell completion and ``gradcheck report`` are quick and work where TensorFlow is not installed.
"""

from __future__ import annotations

import os

import click

from gradcheck.cli.demo import demo
from gradcheck.cli.doctor import doctor
from gradcheck.cli.exits import EPILOG, CommandGroup
from gradcheck.cli.replay import replay
from gradcheck.cli.report import report
from gradcheck.cli.search import search
from gradcheck.cli.sweep import sweep
from gradcheck.cli.variants import variants
from gradcheck.cli.zoo import zoo

__all__ = ["main"]


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(package_name="tf-gradcheck", prog_name="gradcheck")
def main() -> None:
    """Property-based gradient checks for TensorFlow, in eager, graph, dynamic and XLA mode."""
    # Before a subject's own module imports TensorFlow, which would write over the progress of a search.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


for _command in (search, sweep, replay, variants, zoo, report, doctor, demo):
    main.add_command(_command)
