"""What every command that speaks to the server takes, and the client it gets."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from fsf_client.client import Client

Command = Callable[..., Any]
SECONDS: dict[str, Any] = {"metavar": "SECONDS", "show_default": True}


@dataclass(frozen=True, slots=True)
class Server:
    """Which server is asked, and how long; `url` is None where neither the option nor FSF_URL names one."""

    url: str | None
    timeout: float
    patience: float

    def connect(self, *, keep_refused: bool = True) -> Client:
        """A client for it; raises NotConfigured."""
        return Client(self.url, timeout=self.timeout, patience=self.patience, keep_refused=keep_refused)


def server_options(command: Command) -> Command:
    """--url, --timeout, --patience, as `server`. The token comes from FSF_TOKEN only: arguments are seen by every user of the machine."""
    return _with_server(command, timeout=10.0)


def upload_options(command: Command) -> Command:
    """The same for commands that hand over files, which take longer to be answered."""
    return _with_server(command, timeout=120.0)


def _with_server(command: Command, *, timeout: float) -> Command:
    @functools.wraps(command)
    def with_server(*, url: str | None, timeout: float, patience: float, **options: Any) -> Any:
        return command(server=Server(url, timeout, patience), **options)

    found: Command = with_server
    for option in (
        click.option("--patience", type=click.FloatRange(0, 3600), default=20.0, **SECONDS, help="For all tries together."),
        click.option("--timeout", type=click.FloatRange(0.1, 3600), default=timeout, **SECONDS, help="For one try."),
        click.option("--url", envvar="FSF_URL", metavar="URL", help="The server; otherwise FSF_URL."),
    ):
        found = option(found)
    return found


def json_option(command: Command) -> Command:
    """--json."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON.")(command)
