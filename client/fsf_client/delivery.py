"""Sending one post of a run to its end: stored, overtaken, refused, or to be sent later. The server's word decides, never a guess."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Literal

from fsf_client.outbox import Entry, as_json
from fsf_client.retrying import Unreachable, ask
from fsf_client.transport import Answer, Request, Wire

RUNS = "runs/"
REHEARSAL = "runs/?dry_run=true"
ONE_RUN = re.compile(r"/runs/(\d+)/?$")
STORED = {HTTPStatus.OK, HTTPStatus.CREATED}
LOCKED_OUT = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}  # put right with another token; the post waits for it
FINAL = {  # the same post is refused for ever
    *("invalid", "not_json", "content_differs", "unsupported_media_type", "refused", "too_large", "run_ended"),
    *("idempotency_key_invalid", "idempotency_key_reused"),
}
RACES = 3  # corrections that another one overtook, before it is left for later

Result = Literal["created", "replayed", "superseded", "overtaken", "refused", "later"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one sending. `down`: the server answers nobody just now, so there is no use in sending others."""

    result: Result
    reply: Mapping[str, Any] | None = None
    problem: Mapping[str, Any] | None = None
    reason: str = ""
    down: bool = False

    @property
    def differs(self) -> bool:
        """Whether other content is stored under the same identity."""
        return self.result == "refused" and self.problem is not None and self.problem.get("code") == "content_differs"


@dataclass(frozen=True, slots=True)
class Way:
    """How posts are sent: over which wire, for how many seconds, and whether only to ask what would happen."""

    wire: Wire
    patience: float
    dry_run: bool = False

    def post(self, entry: Entry, supersedes: int | None) -> Answer:
        """The key stays the same at every try of one content, and is another for another content."""
        body, key = dict(entry.body), entry.key
        if supersedes is not None:
            body["supersedes"], key = supersedes, uuid.uuid5(uuid.NAMESPACE_OID, f"{entry.key}/{supersedes}").hex
        keyed = {} if self.dry_run else {"Idempotency-Key": f'"{key}"'}
        request = Request("POST", REHEARSAL if self.dry_run else RUNS, as_json(body), keyed)
        return ask(self.wire, request, patience=self.patience)


def deliver(way: Way, entry: Entry) -> Outcome:
    """Post a run, and correct what is stored under its identity where the entry allows that. Raises nothing."""
    supersedes: int | None = None
    try:
        for _ in range(RACES):
            answer = way.post(entry, supersedes)
            outcome = judged(answer.status, answer.content, corrected=supersedes is not None)
            supersedes = _correctable(entry, answer) if outcome.differs else None
            if supersedes is None:
                return _overtaken(outcome, entry)
    except Unreachable as wrong:
        return Outcome("later", reason=str(wrong), down=True)
    return Outcome("later", reason="Another post of the same run came first each time.")


def judged(status: int, said: Any, *, corrected: bool = False) -> Outcome:
    """What an answer to a post means. Only a reply that names the stored run, or that is to a dry run, counts as stored."""
    content = said if isinstance(said, Mapping) else {}
    if status in STORED and {"id", "ref"} <= content.keys():
        created: Result = "superseded" if corrected else "created"
        return Outcome("replayed" if content.get("replayed") else created, reply=content)
    problem = _final(status, content)
    return _later(status, content) if problem is None else Outcome("refused", problem=problem, reason=told(problem))


def _later(status: int, content: Mapping[str, Any]) -> Outcome:
    """An answer that says nothing final of the post itself."""
    detail = str(content.get("detail", ""))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Outcome("later", problem=content, reason=detail or f"The server failed ({status}).")
    if status in LOCKED_OUT:
        return Outcome("later", problem=content, reason=detail or "The token is refused.", down=status == HTTPStatus.UNAUTHORIZED)
    return Outcome("later", reason=f"What answered ({status}) is no fsf server, or stands at another address. {detail}".strip())


def _final(status: int, content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The problem of a refusal that stays one, however often the same is sent."""
    if content.get("code") in FINAL and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return content
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return {"code": "too_large", "status": status, "detail": "The run is larger than the server takes."}
    return None


def _correctable(entry: Entry, answer: Answer) -> int | None:
    """The id of the stored run that this post may supersede."""
    found = ONE_RUN.search(answer.headers.get("location", ""))
    may = entry.correct == "newest" and entry.body.get("status") != "started" and "supersedes" not in entry.body
    return int(found[1]) if found is not None and may else None


def _overtaken(outcome: Outcome, entry: Entry) -> Outcome:
    """A start that comes after the run's end is no fault of anybody."""
    if outcome.differs and entry.body.get("status") == "started":
        return replace(outcome, result="overtaken", problem=None, reason="The run is stored already, with more than its start.")
    return outcome


def told(problem: Mapping[str, Any]) -> str:
    """A problem in a line or more: its detail, then each fault with its place."""
    errors = problem.get("errors")
    faults = [f"  {each.get('pointer') or 'body'}: {each.get('detail', '')}" for each in _objects(errors)]
    return "\n".join([str(problem.get("detail") or problem.get("title") or "The server refused it."), *faults])


def _objects(content: Any) -> list[Mapping[str, Any]]:
    return [each for each in content if isinstance(each, Mapping)] if isinstance(content, list) else []
