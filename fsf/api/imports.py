"""Importing the file of an evaluation harness: recognised by its content, read within bounds, answered with a report on each run."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.exceptions import ErrorDetail, ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import Actor
from alerts.tasks import nudge
from crises.importing import Imported, import_runs
from evals.importers import Options
from evals.importers.bounded import Reading, read_bounded
from evals.importers.registry import BUILT_IN
from evals.importers.several import read_several
from evals.submissions import parse
from fsf.api.authentication import actor_of
from fsf.api.import_reports import (
    ImportProblem,
    ImportReport,
    SeveralProblem,
    SeveralReport,
    answer,
    answer_several,
    file_report,
    report_of,
    report_of_several,
)
from fsf.api.problems import MEDIA_TYPE, answers
from fsf.api.strict_json import read as read_json
from fsf.api.uploads import FORM, LONGEST_FIELD, RAW, TEXTS, Body, FileParser, FormParser, check_size, uploaded

LONGEST = 200  # characters of a parameter; LONGEST_FIELD of a mapping
FIELDS = {
    "name": "the file's name, for the report and as evidence; of a form, otherwise the one of its part",
    "importer": "do not recognise: " + ", ".join(module.NAME for module in BUILT_IN),
    "checkpoint": "the checkpoint that was evaluated; otherwise as the file says",
    "evaluation": "slug@version; otherwise as the file says",
    "version": "of the evaluation, for files that do not name it",
    "mapping": "JSON: which column of a table is what",
    "attested_by": "who vouches that the model was elicited properly; otherwise as the file says",
    "supersedes": "12 or R-12, the newest run of the file's only one, which it corrects although it seems older",
}
SWITCHES = {
    "running": "unfinished logs are still being written: started, not lost",
    "dry_run": "store nothing, and answer what would happen",
}


ALONE = ("name", "supersedes")  # are about one file
REPORT = PolymorphicProxySerializer("ImportAnswer", [ImportReport, SeveralReport], None)
PROBLEM = PolymorphicProxySerializer("ImportRefused", [ImportProblem, SeveralProblem], None)


class Imports(APIView):
    scopes = {"POST": "runs:write"}
    identified = True
    parser_classes = (FormParser, FileParser)

    @property
    def most_bytes(self) -> int:
        """Of the body, which is the file or a form around it."""
        return cast("int", settings.IMPORT_MAX_BYTES)

    @extend_schema(
        request=dict.fromkeys((*RAW, *TEXTS, FORM), OpenApiTypes.BINARY),
        parameters=[
            *(OpenApiParameter(name, str, description=about) for name, about in FIELDS.items()),
            *(OpenApiParameter(name, bool, description=about) for name, about in SWITCHES.items()),
        ],
        responses={
            200: REPORT,
            201: REPORT,
            207: REPORT,
            (422, MEDIA_TYPE): PROBLEM,
            **answers(400, 403, 413, 415, 503),
        },
        tags=["runs"],
    )
    def post(self, request: Request) -> Response:
        """Import logs or tables of evaluation harnesses: their runs are stored and judged, and each is reported on.

        The body is the file; or a form with the file in the part 'file', or several such parts, whose other fields are the parameters.
        201 where something was stored, 200 where all was known already or it is a dry run, 207 where some runs were refused, 422 where
        all were. Of several files each is reported on by itself, also one that cannot be read.
        """
        check_size(request)
        with uploaded(request) as body:
            asked = _asked({**body.fields, **request.query_params.dict()})
            return _import_one(body, asked, actor_of(request)) if len(body.files) == 1 else _import_several(body, asked, actor_of(request))


def _import_one(body: Body, asked: Mapping[str, str], actor: Actor) -> Response:
    (upload,) = body.files
    name = asked["name"] or upload.name[:LONGEST] or "upload"
    reading = read_bounded(name, upload.content, _options(asked), asked["importer"])
    done = _stored([reading], asked, actor)
    return answer(report_of(reading=reading, done=done, name=name, dry_run=asked["dry_run"] == "true"))


def _import_several(body: Body, asked: Mapping[str, str], actor: Actor) -> Response:
    """All runs are stored and judged together, whatever becomes of single files."""
    _check_for_all(asked)
    files = [(upload.name[:LONGEST] or "upload", upload.content) for upload in body.files]
    found = [*read_several(files, _options(asked), asked["importer"])]
    done = iter(_stored([read for read in found if isinstance(read, Reading)], asked, actor))
    reports = [
        file_report(read=read, done=_its(read, done), name=upload.name[:LONGEST] or "upload", size=upload.size)
        for upload, read in zip(body.files, found, strict=True)
    ]
    return answer_several(report_of_several(files=reports, dry_run=asked["dry_run"] == "true"))


def _its(read: Reading | Exception, done: Iterator[Imported]) -> list[Imported]:
    """What became of the runs of one file, of what became of all."""
    return [*islice(done, len(read.runs))] if isinstance(read, Reading) else []


def _stored(found: Sequence[Reading], asked: Mapping[str, str], actor: Actor) -> list[Imported]:
    done = import_runs(
        submissions=[parse(run) for reading in found for run in reading.runs],
        actor=actor,
        now=timezone.now(),
        supersedes=asked["supersedes"] or None,
        dry_run=asked["dry_run"] == "true",
    )
    if any(each.ring for each in done):
        nudge()
    return done


def _check_for_all(asked: Mapping[str, str]) -> None:
    """Raise ValidationError for a parameter that is about one file."""
    if faults := {name: ErrorDetail("It is about one file, and there are several.", "invalid") for name in ALONE if asked[name]}:
        raise ValidationError(faults)


def _asked(told: Mapping[str, str]) -> dict[str, str]:
    """The parameters as they were given, each of them known and of its form; raises ValidationError."""
    faults = {
        name: ErrorDetail(f"There is no parameter '{name}' here.", "unknown_field")
        for name in told.keys() - FIELDS.keys() - SWITCHES.keys()
    }
    faults |= {name: ErrorDetail(why, "invalid") for name, text in told.items() if name not in faults and (why := _fault(name, text))}
    if faults:
        raise ValidationError(faults)
    return {**dict.fromkeys(FIELDS, ""), **dict.fromkeys(SWITCHES, "false"), **told}


def _fault(name: str, text: str) -> str:
    most = LONGEST_FIELD if name == "mapping" else LONGEST
    if name in SWITCHES:
        return "" if text in {"true", "false"} else f"It is true or false, not '{text[:20]}'."
    return f"It is longer than {most} characters." if len(text) > most else "It holds a NUL character." if "\0" in text else ""


def _options(asked: Mapping[str, str]) -> Options:
    return Options(
        checkpoint=asked["checkpoint"],
        evaluation=asked["evaluation"],
        mapping=_mapping(asked["mapping"]) if asked["mapping"] else None,
        running=asked["running"] == "true",
        attested_by=asked["attested_by"].strip(),
        version=asked["version"].strip(),
    )


def _mapping(text: str) -> Mapping[str, Any]:
    try:
        found = read_json(text.encode())
    except (ParseError, UnicodeEncodeError) as wrong:
        raise ValidationError({"mapping": str(wrong)}) from None
    if not isinstance(found, dict):
        raise ValidationError({"mapping": "It must be a JSON object."})
    return found
