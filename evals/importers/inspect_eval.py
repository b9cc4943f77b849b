"""Inspect's `.eval` logs: a zip of JSON members, mostly Zstandard, possibly in several frames. Plain Python.

Of a finished log `header.json` and `summaries.json` are read, of an unfinished one the journal; `samples/`, where everything that was
said stands, is never opened.
"""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from evals.importers import Options, Unreadable
from evals.importers.archive import Archive
from evals.importers.inspect_header import submission
from evals.importers.inspect_log import Log, Sample, read_header, read_reduction, read_sample, read_samples
from evals.importers.json_parts import parts
from evals.importers.strict_json import QUICK

NAME = "inspect-eval"
HEADER, START, SUMMARIES, REDUCTIONS = "header.json", "_journal/start.json", "summaries.json", "reductions.json"
JOURNAL = re.compile(r"_journal/summaries/(\d{1,9})\.json")
LARGEST_HEADER, LARGEST = 16 << 20, 256 << 20  # bytes
LARGEST_SUMMARY, LARGEST_REDUCTION = 1 << 20, 32 << 20
MARKS = (b"_journal/", b"header.json", b"summaries.json", b"samples/")


def recognises(name: str, head: bytes) -> bool:
    """A zip archive that is called a log or begins as one."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06") and (name.endswith(".eval") or head[30:].startswith(MARKS))


def read(name: str, content: IO[bytes], options: Options) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - the contract
    """The one run of the log; raises Unreadable."""
    yield from read_opened(Archive(content, wanted), options)


def read_opened(archive: Archive, options: Options) -> Iterator[dict[str, Any]]:
    """The same of an archive that is open already."""
    log = _begun(archive)
    _add_samples(log, archive)
    if not log.lines and REDUCTIONS in archive.members:
        log.reductions = [
            read_reduction(raw, REDUCTIONS) for _, raw in parts(archive.open(REDUCTIONS, LARGEST), REDUCTIONS, most=LARGEST_REDUCTION)
        ]
    yield submission(log, options)


def _begun(archive: Archive) -> Log:
    """The log with its header alone, or with what was written at its start."""
    first = HEADER if HEADER in archive.members else START
    if first not in archive.members:
        raise Unreadable(f"It holds neither {HEADER} nor {START}.", remedy="It is no Inspect log, or one that never started.")
    header = read_header(archive.read(first, LARGEST_HEADER), first)
    return Log(header, finished=first == HEADER, written=archive.members[HEADER].written if first == HEADER else "")


def _add_samples(log: Log, archive: Archive) -> None:
    for member in [SUMMARIES] if SUMMARIES in archive.members else _journal(archive):
        for sample in _samples(archive, member):
            log.add(sample)


def _samples(archive: Archive, member: str) -> Iterable[Sample]:
    """The lines of a summary: of a small one at once, of a large one in turn."""
    if archive.members[member].size > QUICK:
        return _in_turn(archive.open(member, LARGEST), member)
    raw = archive.read(member, LARGEST)
    found = read_samples(raw)
    return _in_turn(io.BytesIO(raw).read, member) if found is None else found


def _in_turn(source: Callable[[int], bytes], member: str) -> Iterator[Sample]:
    for _, raw in parts(source, member, most=LARGEST_SUMMARY):
        yield read_sample(raw, member)


def wanted(name: str) -> bool:
    """Whether this member of a log is read."""
    return name in (HEADER, START, SUMMARIES, REDUCTIONS) or bool(JOURNAL.fullmatch(name))


def _journal(archive: Archive) -> list[str]:
    """The journal in the order in which it was written: by number, not by name."""
    numbered = ((JOURNAL.fullmatch(name), name) for name in archive.members)
    return [name for _, name in sorted((int(found[1]), name) for found, name in numbered if found)]
