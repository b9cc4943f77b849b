"""Keeping a server up to date with a folder of logs: what is new, rescored, edited, recovered or was unfinished is posted again.

A small state file per server and folder remembers size, time of change and SHA-256 of each file whose runs the server has.
Losing it costs time and nothing else: the server knows what it has.
"""

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsf_client.files import make_folder, write_whole
from fsf_client.importing import Imported, Names, Uploads, files_of
from fsf_client.outbox import server_mark

ALIVE = 900.0  # seconds since its last change for which an unfinished log is taken to be still running
CHUNK = 1 << 20
SAVE_EVERY = 50  # files


@dataclass(frozen=True, slots=True)
class Known:
    """A file whose runs the server has; `open`: one of them was unfinished, so it is looked at again."""

    size: int
    changed: int
    sha256: str
    open: bool = False


class Ledger:
    """What is known of one folder, on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, Known] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            self._known = {name: Known(**known) for name, known in json.loads(path.read_bytes()).items()}

    @classmethod
    def of(cls, state: Path, server: str, folder: Path, names: Names) -> "Ledger":
        """The ledger for a server, a folder, and the names that its logs are posted under."""
        text = "\0".join([str(folder.resolve()), names.checkpoint, names.evaluation, names.attested_by])
        return cls(state / "push" / f"{server_mark(server)}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}.json")

    def has(self, path: Path) -> bool:
        """Whether the server has what the file holds now; the content is read only where size or time changed."""
        known, now = self._known.get(str(path)), path.stat()
        if known is None or known.open or known.size != now.st_size:
            return False
        return known.changed == now.st_mtime_ns or self._has_content(path, known, now.st_mtime_ns)

    def _has_content(self, path: Path, known: Known, changed: int) -> bool:
        if sha256_of(path) != known.sha256:
            return False
        self._known[str(path)] = dataclasses.replace(known, changed=changed)
        return True

    def remember(self, path: Path, known: Known) -> None:
        """The server has this."""
        self._known[str(path)] = known

    def save(self) -> None:
        """Write it down."""
        make_folder(self.path.parent)
        content: dict[str, Any] = {name: dataclasses.asdict(known) for name, known in sorted(self._known.items())}
        write_whole(self.path, json.dumps(content, indent=0).encode())


@dataclass(frozen=True, slots=True)
class Push:
    """What there is to do: files with what they are now, files that cannot be read, and how many the server has as they are."""

    changed: dict[Path, Known]
    unreadable: list[Imported]
    same: int


def plan_push(files: list[Path], ledger: Ledger) -> Push:
    """Look which files the server does not have."""
    changed: dict[Path, Known] = {}
    unreadable: list[Imported] = []
    for path in files:
        try:
            if not ledger.has(path):
                changed[path] = known_of(path)
        except OSError as wrong:
            unreadable.append(Imported(path, "unreadable", str(wrong)))
    return Push(changed, unreadable, len(files) - len(changed) - len(unreadable))


def push_files(uploads: Uploads, push: Push, ledger: Ledger, names: Names) -> Iterator[list[Imported]]:
    """Hand over what the server does not have, file by file. Raises Unreachable when it stays away; what it has by then is remembered."""
    try:
        asked = ((path, _named(known, names), False) for path, known in push.changed.items())
        for number, (path, done) in enumerate(uploads.upload_all(asked), 1):
            _remember(ledger, path, push.changed[path], done)
            yield done
            if number % SAVE_EVERY == 0:
                ledger.save()
    finally:
        ledger.save()


def _named(known: Known, names: Names) -> Names:
    """An unfinished log that was changed a moment ago is still being written."""
    return dataclasses.replace(names, running=names.running or time.time() - known.changed / 1e9 < ALIVE)


def _remember(ledger: Ledger, path: Path, known: Known, done: list[Imported]) -> None:
    with contextlib.suppress(FileNotFoundError):  # it was taken away meanwhile
        if not any(each.failed for each in done) and known_of(path) == known:
            ledger.remember(path, dataclasses.replace(known, open=any(_unfinished(each) for each in done)))


def _unfinished(done: Imported) -> bool:
    return (done.reply or {}).get("status") == "started"


def known_of(path: Path) -> Known:
    """What a file is now."""
    now = path.stat()
    return Known(now.st_size, now.st_mtime_ns, sha256_of(path))


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def logs_in(folder: Path) -> list[Path]:
    """The logs below a folder, oldest first; raises NotADirectoryError."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder of logs.")
    return files_of([folder])
