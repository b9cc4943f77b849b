"""The command line `fsf`. A command's module is loaded when the command is called, so that `fsf --help` is there at once.

Exit codes: 0 done or pass; 1 hold, or refused; 2 wrong usage or token; 3 unknown; 4 the server is away.
"""

import difflib
import importlib
import sys
from typing import Any

import click

from fsf_client import __version__

DONE, REFUSED, USAGE, UNKNOWN, SERVER = range(5)
INTERRUPTED = 130
COMMANDS = {
    "run": "Post a run: all in one, or its start and its finish.",
    "import": "Hand files and folders of results to the server.",
    "push": "Bring the server up to date with a folder of logs.",
    "gate": "Ask the deployment gate.",
    "status": "Where checkpoints stand at each level.",
    "framework": "Check framework files.",
    "outbox": "What is not delivered yet: list it, send it.",
}
MODULES = {"import": "importing"}  # a keyword cannot name a module


class Commands(click.Group):
    """A group that knows its commands by name and loads one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """Load one."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"fsf_client.cli.{MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """A word that is nearly a command is answered with it."""
        if (near := _near(args[0])) is not None:
            raise click.UsageError(f"No such command '{args[0]}'. Did you mean '{near}'?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        """The overview, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _near(word: str) -> str | None:
    return None if word in COMMANDS else next(iter(difflib.get_close_matches(word, COMMANDS, 1)), None)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="FSF_URL names the server and FSF_TOKEN the token. FSF_OUTBOX names the folder of unsent runs; NO_COLOR turns colours off. "
    "Exit codes: 0 done or pass, 1 hold or refused, 2 usage or token, 3 unknown, 4 server. "
    'Completion: eval "$(_FSF_COMPLETE=bash_source fsf)", or zsh_source, fish_source.',
)
@click.version_option(__version__, prog_name="fsf")
def fsf() -> None:
    """Post evaluation results to an fsf server, and ask whether a checkpoint may be deployed."""


def main(arguments: list[str] | None = None) -> Any:
    """Run a command and leave with its exit code; what is known to go wrong is told in a line, without a traceback."""
    try:
        code = fsf.main(arguments, prog_name="fsf", standalone_mode=False)
    except click.exceptions.Abort:
        code = INTERRUPTED
    except click.ClickException as wrong:
        wrong.show()
        code = USAGE
    except Exception as wrong:
        told = importlib.import_module("fsf_client.cli.failing").exit_code(wrong)
        if told is None:
            raise
        code = told
    sys.exit(code if isinstance(code, int) else DONE)
