"""Handing files to the server, which knows their formats: each is sent to it as it is, and what became of its runs comes back.

A large file is streamed in a request of its own, small logs go many in one.

The server tells by a log's own evidence which of two is the newer, so that files may arrive in any order; what carries no such evidence
is handed over one at a time, oldest first.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args
from urllib.parse import urlencode

from fsf_client.answers import Refused
from fsf_client.delivery import LOCKED_OUT, told
from fsf_client.gathering import form, groups, is_dated
from fsf_client.retrying import Unreachable, ask
from fsf_client.transport import Answer, Request, Wire

LOGS = {".eval", ".json", ".jsonl", ".ndjson", ".csv", ".tsv"}  # what is looked at in a folder
JOBS = 4  # requests on their way at once
SLOWED = 600.0  # seconds that one request waits where the server asks for fewer requests
OVERTAKEN = "older_than_stored"
AGAIN = {"not_reached", "unexpected", "unavailable"}  # no fault of the file, which is sent once more, alone
UNREADABLE = {"unknown_format", "unreadable", "too_large", "unsupported_media_type", "bad_address"}

Answered = tuple[Path, list["Imported"]]
ImportOutcome = Literal["created", "replayed", "superseded", "overtaken", "refused", "unreadable", "skipped"]
OUTCOMES: tuple[ImportOutcome, ...] = get_args(ImportOutcome)


@dataclass(frozen=True, slots=True)
class Names:
    """What the caller knows better than the file; empty means: as the file says. `running`: unfinished logs are still being written.

    `mapping` says which column of a table is what, `version` which version of the evaluation was run where the file has none, `importer`
    which format it has where it shall not be recognised.
    """

    checkpoint: str = ""
    evaluation: str = ""
    attested_by: str = ""
    version: str = ""
    importer: str = ""
    mapping: Mapping[str, Any] | None = None
    running: bool = False

    def query(self) -> dict[str, str]:
        """As the address says it."""
        said = {name: getattr(self, name) for name in ("checkpoint", "evaluation", "attested_by", "version", "importer")}
        mapping = "" if self.mapping is None else json.dumps(self.mapping, separators=(",", ":"))
        return {name: value for name, value in {**said, "mapping": mapping, "running": "true" if self.running else ""}.items() if value}


class Asked(NamedTuple):
    """A file that is to be handed over, under which names, and whether it was named and not only met in a folder."""

    path: Path
    names: Names
    expected: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one run of a file, or of a file as a whole: `skipped` files were met in a folder and hold nothing that is known."""

    path: Path
    outcome: ImportOutcome
    reason: str = ""
    reply: Mapping[str, Any] | None = None

    @property
    def failed(self) -> bool:
        """Whether somebody must look at it."""
        return self.outcome in {"refused", "unreadable"}


@dataclass(frozen=True, slots=True)
class Uploads:
    """Hands files to a server. `dry_run`: nothing is stored, and the answers say what would be."""

    wire: Wire
    patience: float
    dry_run: bool = False
    jobs: int = JOBS

    def upload(self, path: Path, names: Names, *, expected: bool = True) -> list[Imported]:
        """What became of each run of a file; a file of an unknown format is skipped where it was only met in a folder.

        Raises Unreachable, and Refused where the token or an option will not do for any file.
        """
        request = Request("POST", self._address({"name": path.name, **names.query()}), path, media_type="application/octet-stream")
        try:
            answer = ask(self.wire, request, patience=self.patience, slowed=SLOWED)
        except OSError as wrong:
            return [Imported(path, "unreadable", str(wrong))]
        return _read(path, answer, expected=expected or bool(names.importer))

    def upload_all(self, files: Iterable[tuple[Path, Names, bool]]) -> Iterator[tuple[Path, list[Imported]]]:
        """File after file in their order, several on their way at once where that cannot mix up old and new."""
        waiting: deque[Future[list[Answered]]] = deque()
        with ThreadPoolExecutor(self.jobs, thread_name_prefix="fsf-import") as pool:
            try:
                for group in groups(Asked(*each) for each in files):
                    most = self.jobs if is_dated(group[0].path) else 0
                    yield from _arrived(waiting, most)
                    waiting.append(pool.submit(self._upload_group, group))
                    yield from _arrived(waiting, most)
                yield from _arrived(waiting, 0)
            finally:
                pool.shutdown(cancel_futures=True)

    def _upload_group(self, group: Sequence[Asked]) -> list[Answered]:
        """Together in one request; alone what cannot be, and what was not answered."""
        found = self._upload_together(group) if len(group) > 1 else {}
        return [(asked.path, found.get(asked.path) or self.upload(asked.path, asked.names, expected=asked.expected)) for asked in group]

    def _upload_together(self, group: Sequence[Asked]) -> dict[Path, list[Imported]]:
        """What became of each file that the answer speaks of to the end."""
        sent = [(asked, content) for asked in group if (content := _content(asked.path)) is not None]
        body, media_type = form([(asked.path.name, content) for asked, content in sent])
        request = Request("POST", self._address(group[0].names.query()), body, media_type=media_type)
        answer = ask(self.wire, request, patience=self.patience, slowed=SLOWED)
        reports = _reports(answer, len(sent))
        return {asked.path: _of_report(asked, report) for (asked, _), report in zip(sent, reports, strict=False) if not _again(report)}

    def _address(self, query: Mapping[str, str]) -> str:
        return f"imports/?{urlencode({**query, **({'dry_run': 'true'} if self.dry_run else {})})}"


def _arrived(waiting: deque[Future[list[Answered]]], most: int) -> Iterator[Answered]:
    """The answers of the oldest requests until at most so many are left on their way."""
    while len(waiting) > most:
        yield from waiting.popleft().result()


def _content(path: Path) -> bytes | None:
    """Of a file; None where it cannot be read, which is told when it is sent alone."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _reports(answer: Answer, count: int) -> Sequence[Mapping[str, Any]]:
    """A report on each file of a request; none where the answer is another, which a file that is sent alone is told too."""
    files = answer.content.get("files") if isinstance(answer.content, Mapping) else None
    return files if isinstance(files, list) and len(files) == count else ()


def _again(report: Mapping[str, Any]) -> bool:
    return any(each.get("code") in AGAIN for each in (report, *(report.get("items") or ())))


def _of_report(asked: Asked, report: Mapping[str, Any]) -> list[Imported]:
    expected = asked.expected or bool(asked.names.importer)
    return _told(asked.path, {**report, "detail": report.get("reason", "")}, expected=expected) or [_nothing(asked.path)]


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files themselves and the logs below the folders, each once, oldest first; raises FileNotFoundError."""
    found: dict[Path, float] = {}
    for path in paths:
        for each in logs_below(path) if path.is_dir() else [path]:
            found[each] = each.stat().st_mtime
    return sorted(found, key=lambda each: (found[each], str(each)))


def logs_below(folder: Path) -> Iterator[Path]:
    """What may be a log, in the folder and below; nothing hidden."""
    for path in folder.rglob("*"):
        if path.suffix.lower() in LOGS and not _hidden(path.relative_to(folder)) and path.is_file():
            yield path


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _read(path: Path, answer: Answer, *, expected: bool) -> list[Imported]:
    """The report of an import, closed: an answer that is none is told as the server being away."""
    content = answer.content if isinstance(answer.content, Mapping) else {}
    if found := _told(path, content, expected=expected):
        return found
    if isinstance(content.get("items"), list):
        return [_nothing(path)]
    raise _wrong(answer.status, content)


def _told(path: Path, content: Mapping[str, Any], *, expected: bool) -> list[Imported]:
    """What a report on one file says of it; nothing where it says nothing that is known."""
    if content.get("code") in UNREADABLE:
        skipped = content["code"] == "unknown_format" and not expected
        return [Imported(path, "skipped" if skipped else "unreadable", told(content))]
    return [_imported(path, item) for item in content.get("items") or ()]


def _nothing(path: Path) -> Imported:
    return Imported(path, "unreadable", "The server found no run in it.")


def _wrong(status: int, content: Mapping[str, Any]) -> Exception:
    if status in LOCKED_OUT or content.get("code") == "invalid":
        return Refused(told(content), status=status, problem=content)
    return Unreachable(f"What answered ({status}) is no fsf server that imports files. {content.get('detail', '')}".strip())


def _imported(path: Path, item: Mapping[str, Any]) -> Imported:
    """One run of the report; an outcome that is not known is told as a refusal, never passed over."""
    said = "overtaken" if item.get("code") == OVERTAKEN else item.get("outcome")
    outcome: ImportOutcome = next((word for word in OUTCOMES if word == said), "refused")
    reason = told({**item, "detail": item["reason"]}) if item.get("reason") else ""
    return Imported(path, outcome, reason, item)
