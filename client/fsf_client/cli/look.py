"""How things are told: plain lines everywhere, a rich table on a terminal where rich is installed, JSON where it is asked for."""

import importlib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

import click

STATES = {
    "clear": ("○", "Below alert", "cyan"),
    "watch": ("◐", "Watch", "yellow"),
    "inconclusive": ("◇", "Not ruled out", "magenta"),
    "alert": ("▲", "ALERT reached", "bold yellow"),
    "critical": ("⬢", "CRITICAL reached", "bold red"),
    "no_result": ("-", "No result", "dim"),
}
VERDICTS = {"pass": ("○", "PASS", "bold cyan"), "hold": ("▲", "HOLD", "bold red"), "unknown": ("◇", "UNKNOWN", "bold magenta")}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
Cell = str | tuple[str, str]  # a text, or a text with its style


def clean(told: object) -> str:
    """A text of the server's without what a terminal would obey."""
    return CONTROL.sub("\ufffd", str(told))


def say(told: object = "") -> None:
    """A line on the standard output."""
    _print(clean(told))


def _print(line: str) -> None:
    """A reader that has read enough, such as head, changes nothing of what the command does."""
    try:
        click.echo(line)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(told: object) -> None:
    """A line on the standard error."""
    click.echo(clean(told), err=True)


def say_json(content: Any) -> None:
    """The content as JSON."""
    _print(json.dumps(content, indent=2, ensure_ascii=False, default=str))


def state(name: str) -> Cell:
    """A state's glyph and word: never the colour alone."""
    glyph, word, colour = STATES.get(name, ("?", name, "bold red"))
    return f"{glyph} {word}", colour


def verdict(name: str) -> Cell:
    """A verdict's glyph and word."""
    glyph, word, colour = VERDICTS.get(name, ("?", name.upper(), "bold red"))
    return f"{glyph} {word}", colour


def table(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Rows under headers; cut nowhere, so that they can be searched and piped."""
    if not rows:
        return
    plain = [[clean(text(cell)) for cell in row] for row in rows]
    if is_pretty():
        importlib.import_module("fsf_client.cli.pretty").table(headers, plain, [list(map(style, row)) for row in rows])
    else:
        say("\n".join(aligned([list(headers), *plain])))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines, each column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def headline(cell: Cell, rest: str) -> None:
    """A word that stands out, and what follows it."""
    if is_pretty():
        importlib.import_module("fsf_client.cli.pretty").headline(clean(text(cell)), style(cell), clean(rest))
        return
    say(f"{text(cell)}  {rest}")


def is_pretty() -> bool:
    """Whether the standard output is a terminal that can show more than lines, and rich is there to use it."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and importlib.util.find_spec("rich") is not None


def number(value: object) -> str:
    """A number, short; nothing where there is none."""
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def interval(row: dict[str, Any]) -> str:
    """Estimate and bounds, as far as they are known."""
    point, lower, upper = (number(row.get(name)) for name in ("point", "lower", "upper"))
    return f"{point} [{lower or '?'}, {upper or '?'}]" if point or lower or upper else ""


def text(cell: Cell) -> str:
    """A cell without its style."""
    return cell[0] if isinstance(cell, tuple) else cell


def style(cell: Cell) -> str:
    """The style of a cell, if it has one."""
    return cell[1] if isinstance(cell, tuple) else ""
