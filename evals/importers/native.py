"""Runs in the shape that the API itself takes: one JSON object, an array of them, or one object a line. Plain Python."""

import re
from collections.abc import Iterator
from typing import IO, Any

from evals.importers import Options, Unreadable
from evals.importers.json_lines import lines
from evals.importers.json_parts import parts
from evals.importers.strict_json import read_object
from evals.submissions import InvalidSubmission, parse

NAME = "native"
BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]")
LINE = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{[^\n]*\}\s*\n\s*\{")
MARKS = tuple(re.compile(rb'"%s"\s*:' % name) for name in (b"producer", b"external_id", b"checkpoint", b"evaluation"))
LARGEST = 64 << 20  # bytes of one run
REMEDY = "Correct the run; docs/api.md says what one holds."


def recognises(name: str, head: bytes) -> bool:  # noqa: ARG001 - the contract
    """JSON that names a producer, its external id, a checkpoint and an evaluation."""
    return bool(BEGINS.match(head)) and all(mark.search(head) for mark in MARKS)


def read(name: str, content: IO[bytes], options: Options) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - the contract
    """The runs of the file; raises Unreadable, also where one of them is no run: then none is handed on."""
    named = {part: told for part in ("checkpoint", "evaluation") if (told := getattr(options, part))}
    for place, run in _runs(content):
        whole = {**run, **named}
        try:
            parse(whole)
        except InvalidSubmission as wrong:
            first = wrong.errors[0]
            raise Unreadable(first.detail, place=f"{place} {first.pointer}".strip(), remedy=REMEDY) from None
        yield whole


def _runs(content: IO[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    head = content.read(1 << 16)
    content.seek(0)
    if LINE.match(head):
        for at, run in lines(content):
            yield f"line {at}", run
    elif head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[":
        for at, (_, raw) in enumerate(parts(content.read, most=LARGEST), 1):
            yield f"run {at}", read_object(raw, f"run {at}")
    else:
        raw = content.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise Unreadable(f"It is larger than {LARGEST} bytes.", remedy=REMEDY)
        yield "the run", read_object(raw.removeprefix(b"\xef\xbb\xbf"))
