"""`fsf push`: bring the server up to date with a folder of logs."""

from pathlib import Path
from typing import Any

import click

from fsf_client.cli import DONE, REFUSED, SERVER
from fsf_client.cli.asking import Server, json_option, upload_options
from fsf_client.cli.importing import Telling, name_options
from fsf_client.cli.look import say
from fsf_client.importing import Names
from fsf_client.places import state_folder
from fsf_client.pushing import Ledger, logs_in, plan_push, push_files
from fsf_client.sending import Sent


@click.command()
@click.argument("logdir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@name_options
@json_option
@upload_options
def command(*, logdir: Path, json_: bool, server: Server, **said: Any) -> int:
    """Send the outbox, then hand over each log in LOGDIR that is new, rescored, edited, recovered or was unfinished.

    Made to be run again and again: what did not change is not read. A log that is unfinished and was changed within 15 minutes counts
    as running, an older one as lost. Exit 1 where something was refused or unreadable, 4 where the server is away.
    """
    names = Names(**said)
    with server.connect() as client:
        sent = client.send_outbox()
        ledger = Ledger.of(state_folder(), client.url, logdir, names)
        push = plan_push(logs_in(logdir), ledger)
        told = Telling(json_=json_)
        told.take(push.unreadable)
        told.take_all(push_files(client.uploads(), push, ledger, names), len(push.changed))
    told.end()
    if not json_:
        say(f"{push.same} unchanged; outbox: {sent.delivered} delivered, {sent.refused} refused, {sent.waiting} waiting")
    return _code(sent, failed=told.failed)


def _code(sent: Sent, *, failed: bool) -> int:
    if sent.waiting:
        return SERVER
    return REFUSED if sent.refused or failed else DONE
