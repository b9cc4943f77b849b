"""The bytes of one member of an archive, unpacked piece by piece and compared with what the directory promised. Plain Python."""

import datetime as dt
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from evals.importers import Unreadable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WINDOW = 24  # log2 of the bytes that a Zstandard frame may refer back to
FRAMES = 4_096  # that one member may be made of; each costs more to start than to send
BLOCK = 1 << 16
REMEDY = "Fetch or copy the file again from where it was written; if it stays so, do not trust it."


def damaged(reason: str, place: str = "") -> Unreadable:
    """The refusal of an archive, or of the member that `place` names."""
    return Unreadable(reason, place=place, remedy=REMEDY)


@dataclass(frozen=True, slots=True)
class Member:
    """One member as the directory tells of it; sizes and offset in bytes."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    stamp: tuple[int, int] = (0, 0)

    @property
    def written(self) -> str:
        """When it was written, by the clock on its writer's wall, to two seconds; empty where the archive does not say."""
        date, time = self.stamp
        try:
            moment = dt.datetime(  # noqa: DTZ001 - archives know no zones
                1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2
            )
        except ValueError:
            return ""
        return moment.isoformat() if moment.year > 1980 else ""

    @property
    def least_end(self) -> int:
        """Where it ends at the earliest: its own header has at least 30 bytes and its name."""
        return self.offset + 30 + len(self.name.encode()) + self.packed


def unpack(content: IO[bytes], start: int, member: Member) -> Callable[[int], bytes]:
    """A function that reads on in a member whose packed bytes begin at `start`; raises Unreadable as soon as it is not as promised."""
    pieces = METHODS.get(member.method, _unknown)(_packed(content, start, member.packed), member.name)
    return io.BufferedReader(_Checked(pieces, member), BLOCK).read


class _Checked(io.RawIOBase):
    """Pieces as a stream that refuses more or fewer bytes than promised, and other bytes at its end."""

    def __init__(self, pieces: Iterator[bytes], member: Member) -> None:
        self.pieces, self.member, self.waiting = pieces, member, b""
        self.count = self.crc = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any, /) -> int:
        while not self.waiting:
            piece = next(self.pieces, None)
            if piece is None:
                return self._finish()
            self._see(piece)
        view = memoryview(target).cast("B")
        given, self.waiting = self.waiting[: len(view)], self.waiting[len(view) :]
        view[: len(given)] = given
        return len(given)

    def _see(self, piece: bytes) -> None:
        self.waiting, self.count, self.crc = piece, self.count + len(piece), zlib.crc32(piece, self.crc)
        if self.count > self.member.size:
            raise damaged(f"It unpacks to more than the {self.member.size} bytes that the directory says.", self.member.name)

    def _finish(self) -> int:
        if self.count < self.member.size:
            raise damaged(f"It unpacks to {self.count} bytes, not to the {self.member.size} that the directory says.", self.member.name)
        if self.crc != self.member.crc:
            raise damaged("Its checksum (CRC-32) is wrong.", self.member.name)
        return 0


def _packed(content: IO[bytes], start: int, size: int) -> Iterator[bytes]:
    for at in range(start, start + size, BLOCK):
        content.seek(at)
        yield content.read(min(BLOCK, start + size - at))


def _stored(packed: Iterator[bytes], name: str) -> Iterator[bytes]:  # noqa: ARG001 - as the others
    yield from packed


def _deflated(packed: Iterator[bytes], name: str) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for block in packed:
            waiting = block
            while waiting and not unpacker.eof:
                yield unpacker.decompress(waiting, BLOCK)
                waiting = unpacker.unconsumed_tail
        while not unpacker.eof and (piece := unpacker.decompress(b"", BLOCK)):
            yield piece
    except zlib.error as wrong:
        raise damaged(f"It cannot be unpacked: {wrong}.", name) from None


def _zstandard(packed: Iterator[bytes], name: str) -> Iterator[bytes]:
    try:
        yield from _frame_by_frame(packed, name)
    except zstd.ZstdError as wrong:
        raise damaged(f"It cannot be unpacked: {wrong}.", name) from None


def _frame_by_frame(packed: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Frame after frame, since a writer may append; each piece is bounded, whatever the ratio."""
    frames = _frames(name)
    frame = next(frames)
    for block in packed:
        waiting = block
        while waiting or _holds_more(frame):
            if frame.eof:
                frame = next(frames)
            yield frame.decompress(waiting, BLOCK)
            waiting = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise damaged("It ends within a frame.", name)


def _holds_more(frame: zstd.ZstdDecompressor) -> bool:
    return not (frame.needs_input or frame.eof)


def _frames(name: str) -> Iterator[zstd.ZstdDecompressor]:
    """What unpacks each frame in turn; raises Unreadable where there are too many."""
    options = {int(zstd.DecompressionParameter.window_log_max): WINDOW}
    for _ in range(FRAMES):
        yield zstd.ZstdDecompressor(options=options)
    raise damaged(f"It has more than {FRAMES} frames.", name)


def _unknown(packed: Iterator[bytes], name: str) -> Iterator[bytes]:  # noqa: ARG001 - as the others
    raise Unreadable("It is packed by a method that Inspect does not use.", place=name, remedy="Repack it with Deflate or Zstandard.")


METHODS: dict[int, Callable[[Iterator[bytes], str], Iterator[bytes]]] = {0: _stored, 8: _deflated, 93: _zstandard}
