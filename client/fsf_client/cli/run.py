"""`fsf run`: post a run, all in one or as its start and its finish."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from fsf_client.answers import Receipt, Refused
from fsf_client.cli import DONE, REFUSED, SERVER
from fsf_client.cli.asking import Server, json_option, server_options
from fsf_client.cli.importing import dry_run_option
from fsf_client.cli.look import Cell, interval, number, say, say_json, state, table, text, warn
from fsf_client.outbox import Correct
from fsf_client.reading import Unreadable, bodies

FEW = 20  # runs that are told one by one
FIELDS = ("external_id", "checkpoint", "evaluation")
STATUSES = ["success", "error", "cancelled", "lost"]


class InOrder(click.Group):
    """Its commands in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """As they stand below."""
        return list(self.commands)


@click.group(cls=InOrder)
def command() -> None:
    """Post a run: all in one, or its start and its finish."""


def body_options(function: Any) -> Any:
    """The fields that identify a run, over those of the file."""
    for name, help_ in (
        ("--evaluation", "slug@version, or slug where it has one version."),
        ("--checkpoint", "Slug of a registered checkpoint."),
        ("--external-id", "The producer's own id of the run."),
        ("--producer", "Name of the pipeline."),
    ):
        function = click.option(name, metavar="NAME", help=help_)(function)
    return function


@command.command(short_help="Post runs, all in one.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--correct", is_flag=True, help="Supersede what is stored under the same producer and external id.")
@click.option("--queue-ok", is_flag=True, help="Exit 0 also where the run is only kept here, to be delivered later.")
@dry_run_option
@json_option
@server_options
def post(*, file: Path, correct: bool, queue_ok: bool, dry_run: bool, json_: bool, server: Server) -> int:
    """Post the runs in FILE (a JSON object, an array, or one a line), or those on the standard input for '-'.

    Many go in few requests. A run that cannot be delivered is kept in the outbox and sent by the next command that reaches the server:
    exit 4.
    """
    runs, may = _runs(file), _correct(newest=correct)
    with server.connect(keep_refused=str(file) == "-") as client:
        if len(runs) == 1:
            done: Iterable[Receipt | Refused] = [_tried(lambda: client.post_run(runs[0], correct=may, dry_run=dry_run))]
        else:
            done = client.post_runs(runs, correct=may, dry_run=dry_run)
        code = _tell(done, json_=json_, brief=len(runs) > FEW)
    return DONE if code == SERVER and queue_ok else code


@command.command(short_help="Say that a run has begun.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), required=False)
@body_options
@click.option("--planned", type=click.IntRange(0), metavar="N", help="Samples that are to run.")
@click.option("--every", type=click.IntRange(5, 86400), metavar="SECONDS", help="How often it will be heard of.")
@json_option
@server_options
def start(*, file: Path | None, planned: int | None, every: int | None, json_: bool, server: Server, **fields: str | None) -> int:
    """Say that a run has begun, so that it is missed if it never ends. FILE may hold the body; options win over it."""
    body = _body(file, fields)
    body |= {"heartbeat_seconds": every} if every else {}
    body |= {"coverage": {**body.get("coverage", {}), "planned": planned}} if planned is not None else {}
    with server.connect() as client:
        return _tell([_tried(lambda: client.start_run(body).receipt)], json_=json_)


@command.command(short_help="Say that a run lives, and how far it is.")
@click.argument("run", metavar="RUN")
@click.option("--planned", type=click.IntRange(0), metavar="N", help="Samples that are to run.")
@click.option("--completed", type=click.IntRange(0), metavar="N", help="Samples that ran to their end.")
@click.option("--tokens", type=click.IntRange(0), metavar="N", help="Tokens spent so far.")
@server_options
def heartbeat(*, run: str, server: Server, **progress: int | None) -> int:
    """Say that RUN (R-12, as its start was answered) lives, and how far it is. Exit 4 where the server took no note of it."""
    name = run.removeprefix("R-")
    if not (name.isascii() and name.isdecimal()):
        raise click.UsageError(f"'{run}' is no run; `fsf run start` says its name, such as R-12.")
    with server.connect() as client:
        heard = client.heartbeat_of(int(name), **{count: value for count, value in progress.items() if value is not None})
    if not heard:
        warn(f"The server took no note of R-{name}: it is away, or the run has ended, or another account started it.")
    return DONE if heard else SERVER


@command.command(short_help="Post the result of a run that was started.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), required=False)
@click.option("--status", type=click.Choice(STATUSES), help="How it ended; success if not said.")
@body_options
@json_option
@server_options
def finish(*, file: Path | None, status: str | None, json_: bool, server: Server, **fields: str | None) -> int:
    """Post the result of a run that was started. FILE holds the body with its measurements; options win over it."""
    body = _body(file, fields)
    body["status"] = status or body.get("status", "success")
    with server.connect() as client:
        return _tell([_tried(lambda: client.finish_run(body))], json_=json_)


def _correct(*, newest: bool) -> Correct:
    return "newest" if newest else "never"


def _tried(post: Callable[[], Receipt]) -> Receipt | Refused:
    """The receipt, or the refusal: one bad run does not keep the others from being posted."""
    try:
        return post()
    except Refused as wrong:
        return wrong


def _tell(done: Iterable[Receipt | Refused], *, json_: bool, brief: bool = False) -> int:
    """Tell each and give the worst exit code."""
    told = []
    for each in done:
        told.append(each)
        if not json_:
            _tell_one(each, brief=brief)
    if json_:
        plain = [_plain(each) for each in told]
        say_json(plain[0] if len(plain) == 1 else plain)
    elif brief:
        _tell_counts(told)
    return max(map(_code, told), default=DONE)


def _tell_counts(told: list[Receipt | Refused]) -> None:
    counts = Counter(map(_outcome, told))
    table(["Outcome", "Runs"], [[outcome, str(count)] for outcome, count in sorted(counts.items())])


def _outcome(each: Receipt | Refused) -> str:
    return "refused" if isinstance(each, Refused) else each.outcome


def _code(each: Receipt | Refused) -> int:
    if isinstance(each, Refused):
        return REFUSED
    return DONE if each.delivered else SERVER


def _plain(each: Receipt | Refused) -> dict[str, Any]:
    if isinstance(each, Refused):
        return {"outcome": "refused", "problem": each.problem, "reason": each.reason}
    return {"outcome": each.outcome, "reason": each.reason, **each.reply}


def _tell_one(each: Receipt | Refused, *, brief: bool) -> None:
    if isinstance(each, Refused):
        warn(f"Refused: {each}")
    elif not each.delivered:
        warn(f"NOT POSTED YET: {each.reason}\nKept in {each.kept}; the next fsf command sends it, or: fsf outbox send")
    elif not brief:
        _tell_receipt(each)
    else:
        _tell_crises(each)


def _tell_receipt(receipt: Receipt) -> None:
    say(_headline(receipt))
    table(["Level", "State", "Before", "Line", "Estimate"], [_verdict(each) for each in receipt.verdicts])
    _tell_crises(receipt)
    for note in receipt.reply.get("notes", []):
        say(f"Note: {note}")


def _headline(receipt: Receipt) -> str:
    complete = "" if receipt.reply.get("complete", True) else ", incomplete"
    why = f": {receipt.reason}" if receipt.reason else ""
    if receipt.reply.get("dry_run"):
        return f"Dry run, nothing is stored: {receipt.ref or 'the run'} would be {receipt.outcome}{complete}{why}"
    return f"{receipt.ref or 'The run'} {receipt.outcome}{complete}{why}"


def _tell_crises(receipt: Receipt) -> None:
    for crisis in receipt.reply.get("crises", []) if receipt.outcome != "replayed" else []:
        say(f"Crisis {crisis.get('ref') or ''} {'opened' if crisis.get('opened') else 'joined'}{_link(crisis)}")


def _link(crisis: dict[str, Any]) -> str:
    return f": {crisis['url']}" if crisis.get("url") else ""


def _verdict(each: dict[str, Any]) -> list[Cell]:
    line = f"{each.get('threshold')} {each.get('comparator')} {number(each.get('value'))}"
    before = text(state(str(each.get("state_before"))))
    return [str(each.get("level")), state(str(each.get("state"))), before, line, interval(each)]


def _runs(file: Path) -> list[dict[str, Any]]:
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    return list(bodies(content, "standard input" if str(file) == "-" else str(file)))


def _one(file: Path | None) -> dict[str, Any]:
    found = [{}] if file is None else _runs(file)
    if len(found) != 1:
        raise Unreadable(f"{file} holds {len(found)} runs; start and finish take one.")
    return found[0]


def _body(file: Path | None, fields: dict[str, str | None]) -> dict[str, Any]:
    body = {**_one(file), **{name: value for name in FIELDS if (value := fields.get(name))}}
    if fields.get("producer"):
        body["producer"] = {"name": fields["producer"]}
    missing = [name for name in ("producer", *FIELDS) if not body.get(name)]
    if missing:
        raise click.UsageError(f"The run has no {', '.join(missing)}; say it in the file or with --{missing[0].replace('_', '-')}.")
    return body
