"""Posts that are not delivered yet, one file each, so that a run finished while the server is down is delivered later.

    pending/TIME-SERVER-IDENTITY-RANDOM.json                      waits
    pending/TIME-SERVER-IDENTITY-RANDOM.json~HOST~PID~RANDOM      a process is sending it
    refused/TIME-SERVER-IDENTITY-RANDOM.json                      the server refused it; kept with the reason

A process takes a post by renaming its file, which only one can. A process that died, or was silent for a lease, loses what it took.
Should two send the same post after all, the server knows its identity and stores it once. Posts of one identity keep their order.
"""

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fsf_client.files import flush_folder, make_folder, write_whole

Correct = Literal["never", "newest"]
LEASE = 300.0  # seconds; far longer than one post is tried for
LOOKS = 5  # for a post that is renamed while it is looked for
MOST_FILES = 10_000
MOST_BYTES = 512 * 1024 * 1024
HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


class OutboxFull(Exception):
    """The outbox holds as much as it may; the post is not kept."""


class NotJson(Exception):
    """The content cannot be written as JSON: a number that is not finite, or an object of another kind."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One post: for which server, under which key, and what it may correct there; `refusal` is the server's problem, if it refused."""

    server: str
    key: str
    queued: str
    body: Mapping[str, Any]
    correct: Correct = "never"
    refusal: Mapping[str, Any] | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """Producer and external id."""
        return f"{producer_name(self.body)} {self.body.get('external_id', '?')}"


def producer_name(body: Mapping[str, Any]) -> str:
    """The producer's name, as far as the body says one."""
    producer = body.get("producer")
    return str(producer.get("name", "?")) if isinstance(producer, Mapping) else "?"


def server_mark(server: str) -> str:
    """A server's address, short enough for a file name."""
    return hashlib.sha256(server.encode(errors="surrogatepass")).hexdigest()[:8]


def mark(server: str, body: Mapping[str, Any]) -> str:
    """What posts of the same run to the same server share in their names."""
    text = f"{producer_name(body)}\0{body.get('external_id', '')}"
    return f"{server_mark(server)}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"


def mark_of(name: str) -> str:
    """The mark in the name of a post."""
    return "-".join(name.split("-")[1:3])


def new_entry(server: str, body: Mapping[str, Any], correct: Correct = "never") -> Entry:
    """A post under a key of its own, not kept yet."""
    return Entry(server, secrets.token_hex(16), dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), dict(body), correct)


def as_json(content: Any) -> bytes:
    """Strict JSON in UTF-8; raises NotJson and says why."""
    try:
        return json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError) as wrong:
        raise NotJson(f"The run cannot be written as JSON: {wrong}. Where there is no score, post null with a reason.") from None


class Outbox:
    """A folder of unsent posts that any number of processes share."""

    def __init__(self, folder: Path, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self.pending, self.refused = folder / "pending", folder / "refused"
        self._most_files, self._most_bytes = most_files, most_bytes

    def put(self, server: str, body: Mapping[str, Any], *, correct: Correct = "never") -> "Taken":
        """Keep a post and take it at once; raises NotJson, OutboxFull and OSError."""
        entry = new_entry(server, body, correct)
        content = _written(entry)
        for folder in (self.folder, self.pending, self.refused):
            make_folder(folder)
        self._check_room(len(content))
        name = f"{time.time_ns():020d}-{mark(server, body)}-{secrets.token_hex(4)}.json"
        claim = self.pending / _claimed(name)
        write_whole(claim, content)
        return Taken(dataclasses.replace(entry, name=name), claim, self)

    def names(self, server: str) -> list[str]:
        """The names of the posts that wait for a server or are on their way to it, oldest first."""
        ours = server_mark(server)
        return sorted(name for name, _, _ in self._scan(self.pending) if mark_of(name).startswith(ours))

    def take(self, name: str) -> "Taken | None":
        """Take a waiting post; None where another process has it or it is gone."""
        claim, waiting = self.pending / _claimed(name), self.pending / name
        try:
            os.utime(waiting)  # the lease is counted from here
            waiting.rename(claim)
        except FileNotFoundError:
            return None
        entry = _read(claim, name)
        return None if entry is None else Taken(entry, claim, self)

    def recover(self) -> None:
        """Give back what was taken by processes that died or fell silent."""
        for name, path, moment in self._scan(self.pending):
            if path.name != name and _abandoned(path.name, moment):
                with contextlib.suppress(FileNotFoundError):
                    path.rename(self.pending / name)

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Every post with its state: waiting, sending or refused; oldest first. What cannot be read is left out."""
        for folder in (self.pending, self.refused):
            for name in sorted({name for _ in range(2) for name, _, _ in self._scan(folder)}):  # one look may miss what is renamed
                if (found := self._found(folder, name)) is not None:
                    yield found

    def _found(self, folder: Path, name: str) -> tuple[str, Entry] | None:
        """A post wherever it lies just now: others take it and give it back while we look."""
        for _ in range(LOOKS):
            if (entry := _read(folder / name, name)) is not None:
                return ("refused" if folder == self.refused else "waiting"), entry
            claims = [path for known, path, _ in self._scan(folder) if known == name and path.name != name]
            if claims and (entry := _read(claims[0], name)) is not None:
                return "sending", entry
        return None

    def unsent(self, server: str) -> list[Entry]:
        """What waits for a server, or is on its way to it."""
        return [entry for state, entry in self.entries() if state != "refused" and entry.server == server]

    def retry_refused(self, server: str) -> int:
        """Put what a server refused back in line, under new keys; returns how many."""
        back = [entry for state, entry in self.entries() if state == "refused" and entry.server == server]
        for entry in back:
            write_whole(self.pending / entry.name, _written(dataclasses.replace(entry, key=secrets.token_hex(16), refusal=None)))
            (self.refused / entry.name).unlink(missing_ok=True)
        return len(back)

    def drop(self, name: str) -> bool:
        """Delete a refused post; one that waits is never deleted."""
        try:
            (self.refused / Path(name).name).unlink()
        except FileNotFoundError:
            return False
        return True

    def _check_room(self, size: int) -> None:
        files, held = 0, size
        for folder in (self.pending, self.refused):
            for _, path, _ in self._scan(folder):
                files += 1
                with contextlib.suppress(FileNotFoundError):
                    held += path.stat().st_size
        if files >= self._most_files or held > self._most_bytes:
            raise OutboxFull(
                f"The outbox {self.folder} is full: {files} posts, {held:,} bytes with this one; at most {self._most_files} posts and "
                f"{self._most_bytes:,} bytes. Send it with: fsf outbox send"
            )

    def _scan(self, folder: Path) -> list[tuple[str, Path, float]]:
        """Name, path and time of change of every whole file."""
        found = []
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as each:
            for item in each:
                name = item.name.partition("~")[0]
                if name.endswith(".json") and not name.startswith("."):
                    with contextlib.suppress(FileNotFoundError):
                        found.append((name, Path(item.path), item.stat().st_mtime))
        return found


@dataclass(frozen=True, slots=True)
class Taken:
    """A post that this process alone may send until it says what became of it."""

    entry: Entry
    claim: Path
    outbox: Outbox

    def delivered(self) -> None:
        """The server has it: forget it."""
        self.claim.unlink(missing_ok=True)

    def refused(self, problem: Mapping[str, Any]) -> Path:
        """The server will never have it as it is: keep it with the reason, out of the line."""
        path = self.outbox.refused / self.entry.name
        write_whole(path, _written(dataclasses.replace(self.entry, refusal=dict(problem))))
        self.claim.unlink(missing_ok=True)
        return path

    def later(self) -> Path:
        """Give it back, to be sent another time."""
        path = self.outbox.pending / self.entry.name
        with contextlib.suppress(FileNotFoundError):
            self.claim.rename(path)
            flush_folder(path.parent)
        return path


def _claimed(name: str) -> str:
    return f"{name}~{HOST}~{os.getpid()}~{secrets.token_hex(4)}"


def _abandoned(claim: str, moment: float) -> bool:
    """Whether the lease ran out, or the process that holds it lived on this machine and lives no more."""
    _, host, pid, _ = [*claim.split("~"), "", "", ""][:4]
    if time.time() - moment > LEASE:
        return True
    return os.name == "posix" and host == HOST and pid.isdecimal() and not _lives(int(pid))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _written(entry: Entry) -> bytes:
    content = {field.name: getattr(entry, field.name) for field in dataclasses.fields(Entry) if field.name != "name"}
    return as_json({"version": 1, **content})


def _read(path: Path, name: str) -> Entry | None:
    """What a file holds; None where it is gone or is no post of ours."""
    try:
        content = json.loads(path.read_bytes())
        fields = {field.name: content[field.name] for field in dataclasses.fields(Entry) if field.name in content}
        return Entry(**{**fields, "name": name})
    except (OSError, ValueError, TypeError, KeyError):
        return None
