"""A zip archive from a stranger, read strictly and in bounded memory. Plain Python.

The standard library's reader believes the directory (on older Pythons also where members overlap), builds an object for each of a million
members, and before 3.14 cannot read Zstandard, so this one reads the directory itself (APPNOTE 6.3.10, sections 4.3.6 to 4.3.16).
Refused: what is cut off or has other bytes before or behind it, encryption, links, names that leave the archive, members that overlap,
too many members, sizes and ratios that no log has, and members that are not what the directory says (size, CRC-32, name).
"""

import io
import stat
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import IO

from evals.importers.unpacking import Member, damaged, unpack

MEMBERS = 100_000
DIRECTORY = 24 << 20  # bytes
RATIO, SMALL = 500, 1 << 20  # of what is read; below SMALL bytes any ratio is harmless. Logs of like samples reach 300
UNREAD_RATIO, UNREAD_LARGE = 1000, 64 << 20  # of what is never inflated

END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
ENTRY = struct.Struct("<4s4B4HL2L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")


class Archive:
    """The members of an archive whose names are wanted; the others are checked and forgotten. Raises Unreadable."""

    def __init__(self, content: IO[bytes], wanted: Callable[[str], bool]) -> None:
        self.content = content
        self.members: dict[str, Member] = {}
        count, size, start = _find_directory(content)
        content.seek(start)
        spans: list[tuple[int, int]] = []
        for member in _entries(content.read(size), count):
            if start < member.least_end:
                raise damaged("It reaches into the directory or beyond the end of the file.", member.name)
            spans.append((member.offset, member.least_end))
            if wanted(member.name):
                self._take(member)
            else:
                _check_ratio(member, UNREAD_LARGE, UNREAD_RATIO)
        self._starts = _apart(spans)
        self._end = start

    def _take(self, member: Member) -> None:
        if member.name in self.members:
            raise damaged("It stands twice in the archive.", member.name)
        _check_ratio(member, SMALL, RATIO)
        self.members[member.name] = member

    def open(self, name: str, most: int) -> Callable[[int], bytes]:
        """A function that reads on in a member, at most so many bytes a call, and b"" at its end; raises Unreadable."""
        member = self.members[name]
        if member.size > most:
            raise damaged(f"It unpacks to {member.size} bytes; {most} are read.", name)
        start = _data_start(self.content, member)
        if start + member.packed > self._next(member.offset):
            raise damaged("It overlaps with another member.", name)
        return unpack(self.content, start, member)

    def read(self, name: str, most: int) -> bytes:
        """The whole of a member of at most so many bytes; raises Unreadable."""
        read, pieces = self.open(name, most), []
        while piece := read(1 << 20):
            pieces.append(piece)
        return b"".join(pieces)

    def _next(self, offset: int) -> int:
        return self._starts.get(offset, self._end)


def _check_ratio(member: Member, harmless: int, most: int) -> None:
    if member.size > harmless and member.size > most * member.packed:
        raise damaged(f"It claims to unpack to {member.size} bytes from {member.packed}, which no log does.", member.name)


def _apart(spans: list[tuple[int, int]]) -> dict[int, int]:
    """Where the member after each one begins; raises Unreadable where two share bytes."""
    spans.sort()
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            raise damaged(f"Two members share the bytes from {start} on.")
    return {one[0]: other[0] for one, other in pairwise(spans)}


def _find_directory(content: IO[bytes]) -> tuple[int, int, int]:
    """How many members the directory lists, its size, and where it starts; it must lie directly before the end record."""
    count, size, start, end = _end_record(content)
    if count == 0xFFFF or 0xFFFFFFFF in (size, start):
        count, size, start, end = _find_large_directory(content, end)
    _check_extent(count, size)
    if start + size != end:
        raise damaged("The directory of the zip archive is not where the end record says; bytes were added or lost.")
    return count, size, start


def _check_extent(count: int, size: int) -> None:
    if count > MEMBERS or size > DIRECTORY:
        raise damaged(f"It lists {count} members in {size} bytes; at most {MEMBERS} in {DIRECTORY} bytes are read.")


def _end_record(content: IO[bytes]) -> tuple[int, int, int, int]:
    """What the end record says of the directory (members, size, start), and where the record itself stands."""
    tail, tail_start = _tail(content)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < END.size:
        raise damaged("It is no complete zip archive: the end record is missing, so the file was cut off.")
    _, disk, first, here, count, size, start, comment = END.unpack_from(tail, at)
    if (at + END.size + comment, disk, first, here) != (len(tail), 0, 0, count):
        raise damaged("The end record of the zip archive does not fit the file.")
    return count, size, start, tail_start + at


def _tail(content: IO[bytes]) -> tuple[bytes, int]:
    """The end of the file, as far as an end record can reach, and where it begins."""
    content.seek(0)
    if content.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
        raise damaged("It does not begin as a zip archive.")
    start = max(0, content.seek(0, io.SEEK_END) - END.size - 65_535)
    content.seek(start)
    return content.read(), start


def _find_large_directory(content: IO[bytes], end: int) -> tuple[int, int, int, int]:
    """The same from the records that archives of more than 65,535 members or 4 GiB have."""
    raw = _record(content, max(0, end - LOCATOR.size), LOCATOR.size, b"PK\x06\x07")
    if not raw:
        raise damaged("The zip archive says it is a large one but lacks the record for it.")
    at = LOCATOR.unpack(raw)[2]
    raw = _record(content, min(at, end), END64.size, b"PK\x06\x06")
    if not raw or at + END64.size + LOCATOR.size != end:
        raise damaged("The record of the large zip archive does not fit the file.")
    *_, here, count, size, start = END64.unpack(raw)
    if here != count:
        raise damaged("The zip archive is one part of several.")
    return count, size, start, at


def _record(content: IO[bytes], at: int, size: int, sign: bytes) -> bytes:
    """The record that stands there; b"" where it is cut off or another one."""
    content.seek(at)
    raw = content.read(size)
    return raw if len(raw) == size and raw.startswith(sign) else b""


def _entries(raw: bytes, count: int) -> Iterator[Member]:
    at = 0
    for _ in range(count):
        if len(raw) - at < ENTRY.size or raw[at : at + 4] != b"PK\x01\x02":
            raise damaged("The directory of the zip archive is damaged.")
        fields = ENTRY.unpack_from(raw, at)
        flags, method, crc = fields[5], fields[6], fields[9]
        packed, size, named, extra, comment = fields[10:15]
        mode, offset = fields[17] >> 16, fields[18]
        at += ENTRY.size
        name = _name(raw[at : at + named], mode, flags)
        packed, size, offset = _large(raw[at + named : at + named + extra], packed, size, offset)
        at += named + extra + comment
        yield Member(name, method, crc, packed, size, offset, (fields[8], fields[7]))
    if at != len(raw):
        raise damaged("The directory of the zip archive holds more than it lists.")


def _name(raw: bytes, mode: int, flags: int) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise damaged(f"A member's name is not UTF-8: {raw[:80]!r}.") from None
    if _leads_out(name):
        raise damaged("Its name leads out of the archive.", name[:200])
    if stat.S_ISLNK(mode):
        raise damaged("It is a link to another file.", name[:200])
    if flags & 0x2041:
        raise damaged("It is encrypted.", name[:200])
    return name


def _leads_out(name: str) -> bool:
    return name[:1] in ("", "/") or "\\" in name or "\x00" in name or ".." in name.split("/") or name[1:2] == ":"


def _large(extra: bytes, packed: int, size: int, offset: int) -> tuple[int, int, int]:
    """Sizes of 4 GiB and more stand in an extra field, in this order and only where the plain field is full."""
    if 0xFFFFFFFF not in (packed, size, offset):
        return packed, size, offset
    field = _extra_fields(extra).get(1, b"")
    numbers = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
    found = [next(numbers, -1) if plain == 0xFFFFFFFF else plain for plain in (size, packed, offset)]
    if -1 in found:
        raise damaged("The directory of the zip archive lacks the size of a large member.")
    return found[1], found[0], found[2]


def _extra_fields(extra: bytes) -> dict[int, bytes]:
    fields = {}
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        fields[kind], extra = extra[4 : 4 + length], extra[4 + length :]
    return fields


def _data_start(content: IO[bytes], member: Member) -> int:
    """Where the bytes of a member begin; what stands before them must agree with the directory."""
    content.seek(member.offset)
    name = member.name.encode()
    raw = content.read(LOCAL.size + len(name))
    if len(raw) < LOCAL.size or not raw.startswith(b"PK\x03\x04"):
        raise damaged("It is not where the directory says.", member.name)
    _, _, flags, method, _, _, _, _, _, named, extra = LOCAL.unpack_from(raw)
    if flags & 0x2041 or (method, raw[LOCAL.size :], named) != (member.method, name, len(name)):
        raise damaged("It is not what the directory says.", member.name)
    return member.offset + LOCAL.size + int(named) + int(extra)
