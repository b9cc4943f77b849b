"""Reading runs in the API's own shape: one JSON object, an array of them, or one a line. Other formats are for the server to read."""

import json
from collections.abc import Iterator
from typing import Any


class Unreadable(Exception):
    """A text cannot be read as runs; it says which file, where in it and why."""


def load(text: bytes, place: str) -> Any:
    """Strict JSON; raises Unreadable for NaN, doubled names and what is no JSON."""
    try:
        return json.loads(text, parse_constant=_not_finite, object_pairs_hook=_once)
    except (ValueError, RecursionError) as wrong:
        raise Unreadable(f"{place}: {wrong}") from None


def bodies(text: bytes, place: str) -> Iterator[dict[str, Any]]:
    """The runs in a text: one JSON object, an array of them, or one a line; raises Unreadable."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > 1 and all(map(_is_object, lines)):
        yield from (_run(load(line, f"{place}, line {number}"), f"{place}, line {number}") for number, line in lines)
        return
    content = load(text, place)
    for number, run in enumerate(content if isinstance(content, list) else [content], 1):
        yield _run(run, f"{place}, run {number}")


def _is_object(line: tuple[int, bytes]) -> bool:
    return line[1].lstrip()[:1] == b"{" and line[1].rstrip()[-1:] == b"}"


def _run(content: Any, place: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise Unreadable(f"{place}: a run is a JSON object.")
    return content


def _not_finite(word: str) -> Any:
    raise ValueError(f"{word} is no number that can be stored; write null with a reason")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name '{next(name for name in names if names.count(name) > 1)}' stands twice in one object")
    return found
