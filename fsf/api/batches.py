"""Posting many runs at once: a JSON array, or one run a line; each with an outcome of its own."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import IO, Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from orjson import Fragment
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import Actor
from alerts.tasks import nudge
from crises.receiving import Outcome, receive_runs
from crises.response import Answer
from evals.storing import Posted
from evals.strict_json import NotStrict, has_more_items, read_items, read_lines
from evals.submissions import Fault, InvalidSubmission, Submission, parse_all
from fsf.api.authentication import actor_of
from fsf.api.problems import answers, outcome_of
from fsf.api.runs import DRY_RUN, is_rehearsal
from fsf.api.shapes import FaultShape, RunBody, RunReply
from fsf.api.strict_json import JSONRenderer, TooLarge, body_of

MOST_RUNS = 10_000
MOST_BYTES = 32 * 1024 * 1024
WRITER = JSONRenderer()


class TooMany(TooLarge):
    """More runs than one batch takes."""

    def __init__(self) -> None:
        super(TooLarge, self).__init__(f"A batch holds at most {MOST_RUNS:,} runs. Send it in parts.")


class ArrayParser(BaseParser):
    """Reads a JSON array; in the place of an item that cannot be read stands the fault."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        body = body_of(stream, MOST_BYTES)
        if has_more_items(body, MOST_RUNS):
            raise TooMany
        return _at_most(read_items(body))


class LinesParser(BaseParser):
    """Reads one JSON document a line; blank lines count for nothing."""

    media_type = "application/x-ndjson"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return _at_most(read_lines(body_of(stream, MOST_BYTES)))


def _at_most(items: Iterable[tuple[int, Any]]) -> list[Any]:
    found = [content for _, content in islice(items, MOST_RUNS + 1)]
    if len(found) > MOST_RUNS:
        raise TooMany
    return found


class CountsShape(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    replayed = serializers.IntegerField()
    refused = serializers.IntegerField()


class OutcomeShape(serializers.Serializer[Any]):
    """What one item of a batch came to; of a refused one the code, the detail and the faults that a single post would get."""

    index = serializers.IntegerField(help_text="its place in the batch, from 0; blank lines do not count")
    status = serializers.IntegerField(help_text="that a single post of it would be answered with")
    id = serializers.IntegerField(required=False, allow_null=True)
    ref = serializers.CharField(required=False, allow_null=True)
    reply = RunReply(required=False)
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    errors = FaultShape(many=True, required=False)  # type: ignore[assignment]  # DRF's own errors are never read here


class BatchReply(serializers.Serializer[Any]):
    counts = CountsShape()
    items = OutcomeShape(many=True)


class RunsBatch(APIView):
    scopes = {"POST": "runs:write"}
    identified = True
    most_bytes = MOST_BYTES
    parser_classes = (ArrayParser, LinesParser)

    @extend_schema(
        request={"application/json": RunBody(many=True), "application/x-ndjson": OpenApiTypes.BYTE},
        parameters=[DRY_RUN],
        responses={207: BatchReply, **answers(400, 403, 413, 503)},
        tags=["runs"],
    )
    def post(self, request: Request) -> Response:
        """Store and judge up to 10,000 runs; the outcome of each, in order, as if they had been posted one after the other.

        An item that is refused spoils no other. Each level of each checkpoint is judged once for the whole batch: the verdicts of
        every item state what stands after all of it. The same batch again is answered with every item replayed.
        """
        outcomes = _received(list(request.data), actor_of(request), dry_run=is_rehearsal(request))
        if any(isinstance(outcome, Answer) and outcome.ring for outcome in outcomes):
            nudge()
        known: dict[int, Fragment] = {}
        items = [_item(index, outcome, known) for index, outcome in enumerate(outcomes)]
        response = Response({"counts": _counts(outcomes), "items": items}, status=207)
        response.unkept = any(item["status"] >= 500 for item in items)  # type: ignore[attr-defined]
        return response


def _received(contents: Sequence[Any], actor: Actor, *, dry_run: bool) -> list[Outcome]:
    """The outcome of each item; those that cannot be read as a run go no further."""
    read = _read_all(contents)
    posts = [Posted(each, actor) for each in read if isinstance(each, Submission)]
    answered = receive_runs(posts=posts, now=timezone.now(), dry_run=dry_run) if posts else []
    if len(answered) == len(read):
        return answered
    outcomes = iter(answered)
    return [next(outcomes) if isinstance(each, Submission) else each for each in read]


def _read_all(contents: Sequence[Any]) -> Sequence[Submission | Exception]:
    """What each item says, or why it says nothing."""
    runs = [content for content in contents if isinstance(content, dict)]
    if len(runs) == len(contents):
        return parse_all(runs)
    read = iter(parse_all(runs))
    return [next(read) if isinstance(content, dict) else _unread(content) for content in contents]


def _unread(content: Any) -> Exception:
    if isinstance(content, NotStrict):
        return content
    return InvalidSubmission([Fault("", "invalid", "An item of a batch must be one JSON object: one run.")])


def _counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many runs were stored, or would be; were known already; were refused."""
    answered = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    created = sum(answer.created or answer.reply["id"] is None for answer in answered)
    return {"created": created, "replayed": len(answered) - created, "refused": len(outcomes) - len(answered)}


def _item(index: int, outcome: Outcome, known: dict[int, Fragment]) -> dict[str, Any]:
    if not isinstance(outcome, Answer):
        return {"index": index, **outcome_of(outcome)}
    reply = outcome.reply
    said = {**reply, "verdicts": _written(reply["verdicts"], known)}
    return {"index": index, "status": 201 if outcome.created else 200, "id": reply["id"], "ref": reply["ref"], "reply": said}


def _written(verdicts: list[dict[str, Any]], known: dict[int, Fragment]) -> Fragment:
    """Verdicts as JSON; what many runs were told is one list, and is written once."""
    name = id(verdicts)
    if (found := known.get(name)) is None:
        found = known[name] = Fragment(WRITER.render(verdicts))
    return found
