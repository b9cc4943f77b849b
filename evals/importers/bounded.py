"""A stranger's file, read so that it can take nobody down: a small one here, any other in a process of its own. Plain Python.

The readers have bounds of their own. This is the wall behind them: that process has a ceiling on memory and on processor time, no
environment to tell of and nothing open but the file, and whatever becomes of it, its caller goes on.
"""

import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from evals.importers import HEAD, Importer, Options, Unreadable
from evals.importers.archive import Archive
from evals.importers.inspect_eval import NAME as INSPECT_EVAL
from evals.importers.inspect_eval import read_opened, recognises, wanted
from evals.importers.registry import Unrecognised, named, read_file, recognise

MOST_RUNS = 10_000  # of one file
SMALL, SMALL_UNPACKED = 1 << 20, 2 << 20  # bytes that are read here
QUICK = frozenset({INSPECT_EVAL, "inspect-json", "lm-eval", "every-eval-ever", "garak", "native", "table"})  # of our own, without a fit
MEMORY, SECONDS, PATIENCE = 1 << 30, 60, 90  # bytes and processor seconds of the process, and seconds that are waited for it
MOST_ANSWER = 64 << 20  # bytes
ROOT = Path(__file__).parents[2]
REFUSED = 3  # exit code: it cannot be read, and the output says why
REMEDY = "Split the file."


class ReaderFailed(RuntimeError):
    """The process ended in a way that no file should bring about: a fault of ours, with its last words."""


@dataclass(frozen=True)
class _Opened:
    """The importer of Inspect's logs with the archive of one, whose directory is read once."""

    archive: Archive
    NAME = INSPECT_EVAL

    def recognises(self, name: str, head: bytes) -> bool:
        return recognises(name, head)

    def read(self, name: str, content: IO[bytes], options: Options) -> Iterator[dict[str, Any]]:  # noqa: ARG002 - the contract
        return read_opened(self.archive, options)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds: the name of its format, its digest, and its runs as submissions."""

    format: str
    sha256: str
    runs: list[dict[str, Any]]


def read_bounded(name: str, content: IO[bytes], options: Options, wanted_format: str = "") -> Reading:
    """The runs of one seekable file, recognised by content alone unless a format is wanted; raises Unrecognised or Unreadable."""
    importer = named(wanted_format) if wanted_format else _recognise(name, content)
    try:
        here = _reader_here(content, importer)
    except Unreadable as wrong:
        wrong.file = name
        raise
    runs = _runs(name, content, options, here) if here else _read_apart(name, content, options, importer.NAME)
    if not runs:
        raise Unreadable("It holds no run.", file=name)
    return Reading(importer.NAME, str(runs[0]["provenance"]["evidence_sha256"]), runs)


def _recognise(name: str, content: IO[bytes]) -> Importer:
    """The importer that knows the content; the name stands in the refusal only."""
    content.seek(0)
    try:
        return recognise("", content.read(HEAD))
    except Unrecognised as wrong:
        raise Unrecognised(f"{name}{wrong}") from None


def _runs(name: str, content: IO[bytes], options: Options, importer: Importer) -> list[dict[str, Any]]:
    found = [*islice(read_file(name, content, options, importer), MOST_RUNS + 1)]
    if len(found) > MOST_RUNS:
        raise Unreadable(f"It holds more than {MOST_RUNS} runs.", remedy=REMEDY, file=name)
    return found


def _reader_here(content: IO[bytes], importer: Importer) -> Importer | None:
    """What reads it here, where that cannot take much, as the directory of an archive says and its reader holds it to; else None."""
    if importer.NAME not in QUICK or content.seek(0, os.SEEK_END) > SMALL:
        return None
    if importer.NAME != INSPECT_EVAL:
        return importer
    archive = Archive(content, wanted)
    return _Opened(archive) if sum(member.size for member in archive.members.values()) <= SMALL_UNPACKED else None


def _read_apart(name: str, content: IO[bytes], options: Options, importer: str) -> list[dict[str, Any]]:
    asked = json.dumps({"name": name, "importer": importer, "options": asdict(options), "memory": MEMORY, "seconds": SECONDS})
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, asked],
            stdin=_on_disk(content),
            capture_output=True,
            cwd=ROOT,
            env={key: os.environ[key] for key in ("LANG", "LD_LIBRARY_PATH") if key in os.environ},
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unreadable(f"It could not be read within {PATIENCE} seconds.", remedy=REMEDY, file=name) from None
    if done.returncode == REFUSED:
        raise Unreadable(**json.loads(done.stdout))
    if done.returncode < 0:
        raise Unreadable(f"Reading it takes more than {SECONDS} seconds or {MEMORY >> 20} MiB.", remedy=REMEDY, file=name)
    if done.returncode:
        raise ReaderFailed(done.stderr.decode(errors="replace")[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def _on_disk(content: IO[bytes]) -> IO[bytes]:
    """The content as a file that another process can be given, at its start."""
    if isinstance(content, io.BytesIO):
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when nobody holds it
        file.write(content.getvalue())
        content = file
    content.seek(0)
    return content


def main(asked: Mapping[str, Any], content: IO[bytes], out: IO[str]) -> int:
    """Read a file under ceilings and write its runs one a line, or why it cannot be read; the answer is the exit code."""
    _limit(asked["memory"], asked["seconds"])
    try:
        for line in _lines(asked, content):
            out.write(line)
    except Unreadable as wrong:
        return _refuse(out, reason=wrong.reason, place=wrong.place, remedy=wrong.remedy, file=wrong.file)
    except MemoryError:
        return _refuse(out, reason=f"Reading it takes more than {asked['memory'] >> 20} MiB.", place="", remedy=REMEDY, file=asked["name"])
    return 0


def _refuse(out: IO[str], **why: str) -> int:
    out.write(json.dumps(why))
    return REFUSED


def _lines(asked: Mapping[str, Any], content: IO[bytes]) -> list[str]:
    """All of them, before the first is written: an answer is whole or a refusal."""
    runs = _runs(asked["name"], content, Options(**asked["options"]), named(asked["importer"]))
    lines = [f"{json.dumps(run, allow_nan=False)}\n" for run in runs]
    if sum(map(len, lines)) > MOST_ANSWER:
        raise Unreadable(f"Its results take more than {MOST_ANSWER >> 20} MiB.", remedy=REMEDY, file=asked["name"])
    return lines


def _limit(memory: int, seconds: int) -> None:
    for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # systems without such a limit, or with a lower one
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), sys.stdin.buffer, sys.stdout))
