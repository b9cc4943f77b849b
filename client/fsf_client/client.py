"""The client: posts runs so that none is lost, and asks what the server knows."""

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

from fsf_client.answers import GateAnswer, Receipt, Refused, gate_answer, reason
from fsf_client.batching import Batches
from fsf_client.delivery import Outcome, told
from fsf_client.importing import JOBS, Imported, Names, Uploads, files_of
from fsf_client.outbox import Correct, Outbox, OutboxFull, as_json, mark, mark_of
from fsf_client.places import outbox_folder
from fsf_client.retrying import Unreachable, ask
from fsf_client.sending import Sender, Sent, receipt_of
from fsf_client.transport import Answer, NotConfigured, Request, Wire

PAGES = 1000  # of one list, at most
BEATS = "runs/{}/heartbeat/"
__all__ = ["Client", "Run", "Sent"]


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was started: what identifies it, and the receipt of its start."""

    body: Mapping[str, Any]
    receipt: Receipt


class Client:
    """Speaks to one server; threads may share it. Without `url` and `token` it reads FSF_URL and FSF_TOKEN.

    `timeout` is for one try and `patience` for all tries of one request, in seconds. Raises NotConfigured.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 10.0,
        patience: float = 20.0,
        outbox: Path | Outbox | None = None,
        keep_refused: bool = True,
    ) -> None:
        url = url or os.environ.get("FSF_URL", "")
        if not url:
            raise NotConfigured("No server is named; set FSF_URL, for example to https://fsf.example.org.")
        self._wire = Wire(url, token or os.environ.get("FSF_TOKEN", ""), timeout=timeout)
        self._patience = patience
        self.outbox = outbox if isinstance(outbox, Outbox) else Outbox(outbox or outbox_folder())
        self._sender = Sender(self._wire, self.outbox, patience=patience, keep_refused=keep_refused)

    @property
    def url(self) -> str:
        """The server's address."""
        return self._wire.url

    def __enter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections; what the outbox holds stays there."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def post_run(self, body: Mapping[str, Any], *, correct: Correct = "never", dry_run: bool = False) -> Receipt:
        """Post one run; kept on disk before it is sent, and until the server has it.

        `correct="newest"` supersedes other content that is stored under the same producer and external id; the end of a run that was
        only started, or is lost, needs no such leave. `dry_run` stores nothing, here and there, and the receipt says what would be.
        Raises Refused, NotJson, and OutboxFull where the server is away and there is no room; a dry run raises Unreachable.
        """
        if dry_run:
            return self._sender.send_now(body, correct, dry_run=True)
        try:
            taken = self.outbox.put(self.url, body, correct=correct)
        except (OutboxFull, OSError) as full:
            return self._post_unkept(body, correct, full)
        return self._sender.send_kept(taken)

    def post_runs(
        self, bodies: Iterable[Mapping[str, Any]], *, correct: Correct = "never", dry_run: bool = False
    ) -> Iterator[Receipt | Refused]:
        """Post many runs in few requests; a receipt or a refusal for each, in order. What the server does not get is kept in the outbox.

        Raises Refused where the token may not post at all, NotJson, OutboxFull; a dry run raises Unreachable.
        """
        for body, outcome in Batches(self._wire, self._patience, dry_run=dry_run).outcomes(bodies):
            try:
                yield self._received(body, outcome, correct, dry_run=dry_run)
            except Refused as wrong:
                yield wrong

    def start_run(self, body: Mapping[str, Any]) -> Run:
        """Say that a run has begun; `body` is that of a run without measurements."""
        started = {**body, "status": "started"}
        started.pop("measurements", None)
        return Run(dict(body), self.post_run(started))

    def finish_run(self, run: Run | Mapping[str, Any], **result: Any) -> Receipt:
        """Post the result of a run that was started, or was not: `result` are fields of the body, `status` is success if not said."""
        body = {**(run.body if isinstance(run, Run) else run), **result}
        body.pop("heartbeat_seconds", None)
        if body.get("status") == "started":
            del body["status"]
        return self.post_run(body)

    def heartbeat(self, run: Run, **progress: float) -> bool:
        """Say that a run lives, and how far it is: `planned`, `completed`, `scored`, `errored`, `tokens`, `cost` (US dollars).

        Tried once, never kept, never raises what the network does. False where the server took no note of it.
        """
        number = run.receipt.reply.get("id")
        return number is not None and self.heartbeat_of(int(number), **progress)

    def heartbeat_of(self, number: int, **progress: float) -> bool:
        """The same for a run by its number."""
        if self._sender.is_quiet:
            return False
        try:
            return ask(self._wire, Request("POST", BEATS.format(number), as_json(progress)), patience=0).status < 300
        except Unreachable:
            return False

    def waits(self, body: Mapping[str, Any]) -> bool:
        """Whether a post of this run is in the outbox, unsent."""
        return any(mark_of(name) == mark(self.url, body) for name in self.outbox.names(self.url))

    def gate(self, checkpoint: str, stage: str = "external", *, record: bool = False) -> GateAnswer:
        """May this checkpoint be deployed? Results of it that still wait here make the answer unknown. Raises Refused, Unreachable."""
        waiting = self._unsent(checkpoint)
        if waiting:
            self.send_outbox()
            waiting = self._unsent(checkpoint)
        question = {"checkpoint": checkpoint, "stage": stage}
        request = _json("POST", "gate/", question) if record else Request("GET", f"gate/?{urlencode(question)}")
        answer = gate_answer(self._read(request), checkpoint=checkpoint, stage=stage)
        if not waiting or not answer.passed:
            return answer
        detail = f"{waiting} of its runs wait in the outbox {self.outbox.folder} of this machine and are not judged yet."
        return GateAnswer("unknown", checkpoint, stage, (reason("unsent", detail),), answer.frameworks, answer.at)

    def status(self, **filters: str) -> list[dict[str, Any]]:
        """Where checkpoints stand at levels; filters: `checkpoint`, `level`, `state`."""
        return list(self.read_all("statuses/", **filters))

    def frameworks(self) -> list[dict[str, Any]]:
        """The framework versions that the server knows."""
        return list(self.read_all("frameworks/"))

    def run(self, number: int) -> dict[str, Any]:
        """One stored run with its results and, as `reply`, what its post was answered."""
        return dict(self._read(Request("GET", f"runs/{number}/")))

    def import_files(
        self, paths: Iterable[Path | str], *, names: Names | None = None, dry_run: bool = False, jobs: int = JOBS
    ) -> Iterator[Imported]:
        """Hand files, and the logs below folders, to the server, which reads them; an answer for each run. Nothing is kept here.

        Raises FileNotFoundError, Unreachable, and Refused where the token or a name will do for no file.
        """
        asked = [Path(path) for path in paths]
        expected = set(asked)
        files = ((path, names or Names(), path in expected) for path in files_of(asked))
        for _, done in self.uploads(dry_run=dry_run, jobs=jobs).upload_all(files):
            yield from done

    def uploads(self, *, dry_run: bool = False, jobs: int = JOBS) -> Uploads:
        """What hands files over, one by one or several at once."""
        return Uploads(self._wire, self._patience, dry_run=dry_run, jobs=jobs)

    def send_outbox(self, *, refused: bool = False, seconds: float = float("inf")) -> Sent:
        """Send what waits for this server, oldest first; `refused` sends what was refused once more too."""
        return self._sender.send_outbox(refused=refused, seconds=seconds)

    def read_all(self, path: str, **filters: str) -> Iterator[dict[str, Any]]:
        """Every row of a list, page after page; raises Refused and Unreachable."""
        query = {name: value for name, value in filters.items() if value}
        target = f"{path}?{urlencode({**query, 'limit': '500'})}"
        for _ in range(PAGES):
            page = self._read(Request("GET", target))
            yield from page["results"] if isinstance(page, Mapping) else page
            following = page.get("next") if isinstance(page, Mapping) else None
            if not following:
                return
            target = f"{path}?{urlsplit(str(following)).query}"  # the token stays with the address that was configured

    def _read(self, request: Request) -> Any:
        answer = ask(self._wire, request, patience=self._patience)
        content = answer.content
        if 200 <= answer.status < 300 and content is not None:
            return content
        raise _refused(answer, self.url)

    def _received(self, body: Mapping[str, Any], outcome: Outcome, correct: Correct, *, dry_run: bool) -> Receipt:
        """The receipt of one of many; what may be corrected is posted by itself, what did not arrive is kept."""
        if outcome.differs and (correct == "newest" or body.get("status") == "started"):
            return self.post_run(body, correct=correct, dry_run=dry_run)
        if not dry_run:
            return self._sender.received(body, outcome, correct)
        if outcome.result == "later":
            raise Unreachable(outcome.reason)
        return receipt_of(outcome, None)

    def _post_unkept(self, body: Mapping[str, Any], correct: Correct, full: Exception) -> Receipt:
        """Where the disk does not take it, sending it now is what is left; raises what kept it from being kept if that fails."""
        try:
            return self._sender.send_now(body, correct)
        except Unreachable as wrong:
            raise OutboxFull(f"{full} The server could not be reached either ({wrong}); this run is NOT kept.") from wrong

    def _unsent(self, checkpoint: str) -> int:
        return sum(1 for entry in self.outbox.unsent(self.url) if entry.body.get("checkpoint") == checkpoint)


def _refused(answer: Answer, url: str) -> Exception:
    content = answer.content
    if isinstance(content, Mapping) and content.get("code"):
        return Refused(told(content), status=answer.status, problem=content)
    moved = f" and names {quote(answer.headers['location'], safe=':/?&=')}" if "location" in answer.headers else ""
    return Unreachable(f"What answered at {url} ({answer.status}){moved} is no fsf server; check FSF_URL.")


def _json(method: str, path: str, content: Mapping[str, Any]) -> Request:
    return Request(method, path, as_json(content), {"Idempotency-Key": f'"{secrets.token_hex(16)}"'})
