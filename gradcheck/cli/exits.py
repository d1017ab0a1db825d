"""Exit statuses, and the one place where exceptions become them."""

from __future__ import annotations

import difflib
import os
import sys
from typing import Any

import click

from gradcheck.cli.streams import outputs_guarded
from gradcheck.errors import InputError, MissingTensorFlowError
from gradcheck.support.outgoing import for_terminal
from gradcheck.support.signals import ending_on_sigterm

__all__ = ["BAD_INPUT", "EPILOG", "FOUND", "INTERRUPTED", "NO_TENSORFLOW", "OK", "CommandGroup"]

OK = 0
FOUND = 1
# Click's own status for wrong usage; bad input is the same to a caller.
BAD_INPUT = 2
NO_TENSORFLOW = 3
INTERRUPTED = 130

EPILOG = """\b
Exit status:
  0    nothing failed (UNRESOLVED and KINK are shown, and are not failures)
  1    something failed, passed that was expected to fail, or (report) was not checked
  2    wrong usage or bad input
  3    TensorFlow is not installed, or does not load
  130  interrupted (143 by SIGTERM); what was found until then has been printed and written

\b
Shell completion: add one of these to your shell's start-up file
  eval "$(_GRADCHECK_COMPLETE=bash_source gradcheck)"
  eval "$(_GRADCHECK_COMPLETE=zsh_source gradcheck)"
  _GRADCHECK_COMPLETE=fish_source gradcheck | source
"""


# Names that people try, with the command that does it.
_MEANT = {"check": "search", "test": "search", "run": "search", "find": "search", "diff": "report", "show": "report"}


def say_error(text: str) -> None:
    """The one message that a command ends with."""
    click.echo(for_terminal(f"gradcheck: {text}"), err=True)


def _unforeseen(error: Exception) -> str:
    """What is said of an exception that no reader and no check of an argument has made a message of."""
    what = " ".join(str(error).split())
    if isinstance(error, OSError):
        return what
    if isinstance(error, RecursionError):
        return "the input is nested too deeply to be read"
    return (
        f"{type(error).__name__}: {what[:500]}. This is not meant to happen, whatever the input is. Please report it; "
        "with GRADCHECK_TRACEBACK=1 in the environment the same command says where"
    )


class CommandGroup(click.Group):
    """A group that turns this package's exceptions into a line on stderr and an exit status."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line; help and usage, too, may be written to a full disk or a closed pipe."""
        with outputs_guarded(BAD_INPUT):
            return super().main(*args, **options)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of that name.

        Raises:
            UsageError: where there is none; with the one that may be meant.
        """
        name = args[0] if args else ""
        if name and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            near = _MEANT.get(name) or next(iter(difflib.get_close_matches(name, self.list_commands(ctx), 1)), "")
            meant = f" Did you mean {near!r}?" if near else f" The commands: {', '.join(self.list_commands(ctx))}."
            ctx.fail(f"No such command {name!r}.{meant}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            with ending_on_sigterm():
                return super().invoke(ctx)
        except InputError as error:
            # Not a UsageError: how the options are spelled is no help to whom the message tells what is wrong.
            say_error(str(error))
            sys.exit(BAD_INPUT)
        except MissingTensorFlowError as error:
            say_error(str(error))
            sys.exit(NO_TENSORFLOW)
        except click.ClickException as error:
            vars(error)["message"] = for_terminal(error.message)
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get("GRADCHECK_TRACEBACK"):
                raise
            say_error(_unforeseen(error))
            sys.exit(BAD_INPUT)
        except KeyboardInterrupt:  # also SIGTERM's, which comes out as a SystemExit
            say_error("interrupted before anything was found out")
            sys.exit(INTERRUPTED)
