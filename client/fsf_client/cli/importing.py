"""`fsf import`: hand files to the server."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from fsf_client.cli import DONE, REFUSED
from fsf_client.cli.asking import Server, json_option, upload_options
from fsf_client.cli.look import say, say_json, table, warn
from fsf_client.importing import JOBS, Imported, Names, files_of
from fsf_client.reading import load

SAID = (
    ("--attested-by", "FSF_ATTESTED_BY", "Who vouches for the elicitation; otherwise as each log says."),
    ("--evaluation", "FSF_EVALUATION", "slug@version that was run; otherwise as each log says."),
    ("--checkpoint", "FSF_CHECKPOINT", "Checkpoint that was evaluated; otherwise as each log says."),
)


def name_options(function: Any) -> Any:
    """What the caller knows better than the logs."""
    for name, variable, told in SAID:
        function = click.option(name, default="", envvar=variable, show_envvar=True, metavar="NAME", help=told)(function)
    return function


def dry_run_option(function: Any) -> Any:
    """--dry-run."""
    return click.option("--dry-run", is_flag=True, help="Store nothing, and tell what would happen.")(function)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@name_options
@click.option("--version", default="", metavar="VERSION", help="Version of the evaluation, where the file has none.")
@click.option("--importer", default="", metavar="NAME", help="Read every file as this format, such as lm-eval, instead of recognising it.")
@click.option("--mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON file: which column of a table is what.")
@click.option("--jobs", type=click.IntRange(1, 16), metavar="N", default=JOBS, show_default=True, help="Requests on their way at once.")
@dry_run_option
@json_option
@upload_options
def command(*, paths: tuple[Path, ...], mapping: Path | None, jobs: int, dry_run: bool, json_: bool, server: Server, **said: Any) -> int:
    """Hand files, and the logs in folders, to the server.

    It recognises Inspect, lm-evaluation-harness, Every Eval Ever, garak, METR runs, CSV, JSON lines, and runs in the API's own shape.
    What it has is not stored again; a rescored log supersedes. Exit 1 where a run was refused or a file could not be read, 4 where the
    server went away: run it again, nothing is doubled.
    """
    names = Names(**said, mapping=None if mapping is None else load(mapping.read_bytes(), str(mapping)))
    files = files_of(paths)
    asked = ((path, names, path in paths) for path in files)
    told = Telling(json_=json_)
    try:
        with server.connect() as client:
            uploads = client.uploads(dry_run=dry_run, jobs=jobs)
            told.take_all((each for _, each in uploads.upload_all(asked)), len(files))
    finally:
        told.end(dry_run=dry_run)
    return REFUSED if told.failed else DONE


class Telling:
    """Tells what became of each run, and keeps no more of it than is still to be told, however many there are.

    JSON is written run by run as they come; otherwise the counts come first, then each that somebody must look at.
    """

    def __init__(self, *, json_: bool) -> None:
        self._json, self._between = json_, "["
        self._counts = Counter[str]()
        self._lines: list[tuple[Callable[[str], None], str]] = []
        self.failed = False

    def take_all(self, answers: Iterator[list[Imported]], files: int) -> None:
        """Every answer, with a bar on the standard error where that is a terminal."""
        hidden = self._json or not sys.stderr.isatty()
        with click.progressbar(answers, length=files, file=sys.stderr, hidden=hidden, label="Importing", show_pos=True) as shown:
            for done in shown:
                self.take(done)

    def take(self, done: Iterable[Imported]) -> None:
        """What became of some runs."""
        for each in done:
            self.failed = self.failed or each.failed
            self._counts[each.outcome] += 1
            if self._json:
                self._write(each)
            else:
                self._lines += _lines_of(each)

    def _write(self, each: Imported) -> None:
        say(self._between)
        say_json({"path": str(each.path), "outcome": each.outcome, "reason": each.reason, "reply": each.reply})
        self._between = ","

    def end(self, *, dry_run: bool = False) -> None:
        """There is no more."""
        if self._json:
            say("]" if self._counts else "[]")
            return
        if dry_run:
            say("Dry run: nothing is stored.")
        table(["Outcome", "Runs"], [[outcome, str(count)] for outcome, count in sorted(self._counts.items())])
        for way, line in self._lines:
            way(line)


def _lines_of(each: Imported) -> Iterator[tuple[Callable[[str], None], str]]:
    """What somebody must look at."""
    if each.failed or each.outcome == "overtaken":
        yield warn, f"{each.outcome}: {'' if str(each.path) in each.reason else f'{each.path}: '}{each.reason}"
    elif each.outcome != "replayed" and each.reply is not None:
        yield from ((say, line) for line in _crossings(each.reply, str(each.path)))


def _crossings(reply: Mapping[str, Any], place: str) -> Iterator[str]:
    for crossing in reply.get("crossings") or ():
        yield f"{reply.get('ref') or place}: {crossing.get('kind')} reached at {crossing.get('level')}"
