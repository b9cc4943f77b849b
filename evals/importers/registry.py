"""Which importer reads a file, and what is the same for all: recognition by content, evidence, the check of each submission. Plain Python.

Built-ins come first, in the order of BUILT_IN (formats with marks of their own before formats that many files could be); then what
other distributions offer under the entry-point group `fsf.importers`, by name.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import PurePath
from typing import IO, Any, cast

from evals.importers import (
    HEAD,
    Importer,
    Options,
    Unreadable,
    every_eval_ever,
    garak,
    inspect_eval,
    inspect_json,
    lm_eval,
    metr_runs,
    native,
    table,
)
from evals.importers.strict_json import unstorable
from evals.submissions import InvalidSubmission, parse

GROUP = "fsf.importers"
BUILT_IN = (inspect_eval, inspect_json, lm_eval, every_eval_ever, garak, metr_runs, native, table)
CHUNK = 1 << 20


class Unrecognised(Exception):
    """No importer knows the file, or none has the name asked for; the text says which formats are known."""


@cache
def importers() -> tuple[Importer, ...]:
    """Every importer in the order in which they are asked; raises Unrecognised where an offered one cannot be loaded or used."""
    offered = [_load(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)]
    return (*(cast("Importer", module) for module in BUILT_IN), *offered)


def recognise(name: str, head: bytes, known: Sequence[Importer] | None = None) -> Importer:
    """The first importer that knows the content; raises Unrecognised with the reason."""
    asked = importers() if known is None else known
    for importer in asked:
        if importer.recognises(name, head):
            return importer
    formats = ", ".join(importer.NAME for importer in asked)
    raise Unrecognised(f"{name}: {_seen(head)} None of the known formats is recognised in it ({formats}).")


def named(wanted: str) -> Importer:
    """The importer of that name; raises Unrecognised."""
    for importer in importers():
        if wanted == importer.NAME:
            return importer
    formats = ", ".join(importer.NAME for importer in importers())
    raise Unrecognised(f"There is no importer '{wanted}'; there are: {formats}.")


def read_file(name: str, content: IO[bytes], options: Options, importer: Importer | None = None) -> Iterator[dict[str, Any]]:
    """The submissions of one seekable file, each checked and with its evidence; raises Unrecognised or Unreadable."""
    base = PurePath(name).name
    reader = importer or recognise(base, _head(content))
    evidence = _evidence(base, content, reader)
    try:
        for found in reader.read(base, content, options):
            yield _checked(_attested({**found, "provenance": {**found.get("provenance", {}), **evidence}}, options))
    except Unreadable as wrong:
        wrong.file = wrong.file or base
        raise


def _attested(found: dict[str, Any], options: Options) -> dict[str, Any]:
    """With who vouches for the elicitation, where the caller says so."""
    if not options.attested_by:
        return found
    return {**found, "elicitation": {**found.get("elicitation", {}), "attested_by": options.attested_by}}


def _checked(found: dict[str, Any]) -> dict[str, Any]:
    if unstorable(found):
        raise Unreadable("A name or text holds a NUL character or half a surrogate pair.", remedy="Rename it where the file was made.")
    try:
        parse(found)
    except InvalidSubmission as wrong:
        first = wrong.errors[0]
        place = f"{found.get('external_id', 'a run')} {first.pointer}".strip()
        raise Unreadable(first.detail, place=place, remedy="What the file says cannot be stored as a run.") from None
    return found


def _head(content: IO[bytes]) -> bytes:
    content.seek(0)
    return content.read(HEAD)


def _evidence(base: str, content: IO[bytes], reader: Importer) -> dict[str, Any]:
    """What identifies the file that the numbers came from; its content stays with its owner."""
    content.seek(0)
    size, digest = 0, hashlib.sha256()
    while chunk := content.read(CHUNK):
        size += len(chunk)
        digest.update(chunk)
    content.seek(0)
    return {"evidence": base[:200], "evidence_sha256": digest.hexdigest(), "evidence_bytes": size, "importer": reader.NAME}


def _seen(head: bytes) -> str:
    if not head:
        return "The file is empty."
    if head.startswith(b"PK"):
        return "It is a zip archive, but not an Inspect log."
    return "It looks like text." if b"\x00" not in head else "It is a binary file."


def _load(point: Any) -> Importer:
    try:
        found = point.load()
    except Exception as wrong:
        raise Unrecognised(f"The importer '{point.name}' ({point.value}) cannot be loaded: {wrong!r}.") from wrong
    if missing := [part for part in ("NAME", "recognises", "read") if not hasattr(found, part)]:
        raise Unrecognised(f"The importer '{point.name}' ({point.value}) lacks {', '.join(missing)}.")
    return cast("Importer", found)
