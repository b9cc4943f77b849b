"""Small logs gathered into few requests: a form with a part for each file."""

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsf_client.importing import Asked

MOST_FILES, MOST_BYTES = 100, 2 * 1024 * 1024  # of one request
LARGEST = MOST_BYTES // 4  # bytes of a file that is sent among others
PLAIN = re.compile(r"[A-Za-z0-9_.,:+@=()-]{1,200}")  # names that mean the same in a form everywhere
DATED = {".eval"}  # say themselves when they were written


def groups(files: Iterable["Asked"]) -> Iterator[list["Asked"]]:
    """The files in their order, those that may go into one request together."""
    group: list[Asked] = []
    size = 0
    for asked in files:
        more = _size(asked.path)
        if more is None or not _fits(asked, group, size + more):
            yield from [group] if group else []
            group, size = [], 0
        if more is None:
            yield [asked]
        else:
            group.append(asked)
            size += more
    if group:
        yield group


def _fits(asked: "Asked", group: list["Asked"], size: int) -> bool:
    """Whether a file may join a group that is then so many bytes."""
    return not group or (asked.names == group[0].names and len(group) < MOST_FILES and size <= MOST_BYTES)


def is_dated(path: Path) -> bool:
    """Whether the server sees in the file itself which of two is the newer."""
    return path.suffix.lower() in DATED


def _size(path: Path) -> int | None:
    """Of a file that may be sent among others; None for one that is sent alone, also where it cannot be looked at."""
    if not is_dated(path) or not PLAIN.fullmatch(path.name):
        return None
    try:
        size = path.stat().st_size
    except OSError:
        return None
    return size if size <= LARGEST else None


def form(files: Sequence[tuple[str, bytes]]) -> tuple[bytes, str]:
    """The body and its media type, of files with plain names."""
    boundary = secrets.token_hex(24)
    pieces: list[bytes] = []
    for name, content in files:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        pieces += (head.encode(), b"Content-Type: application/octet-stream\r\n\r\n", content, b"\r\n")
    return b"".join([*pieces, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"
