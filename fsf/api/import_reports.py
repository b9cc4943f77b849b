"""What an import is answered: what became of each run of a file, or of each file of several, under the status that sums it up."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from crises.importing import Imported
from evals.importers.bounded import Reading
from fsf.api.problems import CODES, MEDIA_TYPE, outcome_of, problem
from fsf.api.shapes import CrisisLink, CrossingShape, FaultShape, ProblemShape, VerdictShape

RESULTS = ("created", "replayed", "superseded", "refused")
OURS = frozenset({"unavailable", "unexpected"})  # codes of what is no fault of the file
CARRIED = ("status", "complete", "verdicts", "crossings", "crises", "alerts_queued", "notes")


class ImportCounts(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    replayed = serializers.IntegerField()
    superseded = serializers.IntegerField()
    refused = serializers.IntegerField()


class ImportItem(serializers.Serializer[Any]):
    """What became of one run of the file, with what a post of it would be answered."""

    outcome = serializers.ChoiceField(["created", "replayed", "superseded", "refused"])
    producer = serializers.CharField()
    external_id = serializers.CharField()
    checkpoint = serializers.CharField()
    evaluation = serializers.CharField()
    id = serializers.IntegerField(allow_null=True, help_text="null where it was refused, and in a dry run that would store it")
    ref = serializers.CharField(allow_null=True)
    supersedes = serializers.IntegerField(allow_null=True, help_text="id of the run that it supersedes")
    reason = serializers.CharField(help_text="why it was not simply created")
    code = serializers.CharField(required=False, help_text="of a refusal")
    errors = FaultShape(many=True, required=False)  # type: ignore[assignment]  # DRF's own errors are never read here
    status = serializers.CharField(required=False)
    complete = serializers.BooleanField(required=False)
    verdicts = VerdictShape(many=True, required=False)
    crossings = CrossingShape(many=True, required=False)
    crises = CrisisLink(many=True, required=False)
    alerts_queued = serializers.IntegerField(required=False)
    notes = serializers.ListField(child=serializers.CharField(), required=False)


class ImportReport(serializers.Serializer[Any]):
    format = serializers.CharField(help_text="the importer that read it")
    name = serializers.CharField()
    sha256 = serializers.CharField()
    bytes = serializers.IntegerField()
    dry_run = serializers.BooleanField()
    counts = ImportCounts()
    items = ImportItem(many=True)


class ImportProblem(ProblemShape, ImportReport):
    """A problem with the report beside it: every run of the file was refused."""


class FileReport(serializers.Serializer[Any]):
    """What became of one file of several; where it cannot be read, why."""

    format = serializers.CharField(allow_blank=True, help_text="the importer that read it; empty where none could")
    name = serializers.CharField()
    sha256 = serializers.CharField(allow_blank=True)
    bytes = serializers.IntegerField()
    counts = ImportCounts()
    items = ImportItem(many=True)
    code = serializers.CharField(required=False, help_text="of a file that cannot be read, as its import alone would be answered")
    reason = serializers.CharField(required=False)


class SeveralReport(serializers.Serializer[Any]):
    """The report on several files, in their order."""

    dry_run = serializers.BooleanField()
    counts = ImportCounts()
    files = FileReport(many=True)


class SeveralProblem(ProblemShape, SeveralReport):
    """A problem with the report beside it: no run of any file was taken."""


def report_of(*, reading: Reading, done: Sequence[Imported], name: str, dry_run: bool) -> dict[str, Any]:
    """What became of the runs of one file."""
    return {**_file(reading, done, name), "dry_run": dry_run}


def report_of_several(*, files: Sequence[dict[str, Any]], dry_run: bool) -> dict[str, Any]:
    """The reports on several files together."""
    return {"dry_run": dry_run, "counts": {name: sum(each["counts"][name] for each in files) for name in RESULTS}, "files": files}


def file_report(*, read: Reading | Exception, done: Sequence[Imported], name: str, size: int) -> dict[str, Any]:
    """What became of one file of several, `size` bytes large."""
    if isinstance(read, Reading):
        return _file(read, done, name)
    told = outcome_of(read)
    reason = CODES[told["code"]][2] if told["code"] in OURS else told["detail"]  # ours is logged, not told
    about = {"format": "", "name": name, "sha256": "", "bytes": size, "counts": dict.fromkeys(RESULTS, 0), "items": []}
    return {**about, "code": told["code"], "reason": reason}


def _file(reading: Reading, done: Sequence[Imported], name: str) -> dict[str, Any]:
    counts = Counter[str](each.result for each in done)
    return {
        "format": reading.format,
        "name": name,
        "sha256": reading.sha256,
        "bytes": reading.runs[0]["provenance"]["evidence_bytes"],
        "counts": {result: counts[result] for result in RESULTS},
        "items": [_item(each) for each in done],
    }


def _item(done: Imported) -> dict[str, Any]:
    told, reply = done.submission, done.reply
    return {
        "outcome": done.result,
        "producer": told.producer.name,
        "external_id": told.external_id,
        "checkpoint": told.checkpoint,
        "evaluation": told.evaluation,
        "id": reply.get("id"),
        "ref": reply.get("ref"),
        "supersedes": done.supersedes,
        "reason": done.reason,
        **{name: reply[name] for name in CARRIED if name in reply},
        **(_refusal(done.refusal) if done.refusal else {}),
    }


def _refusal(refusal: Exception) -> dict[str, Any]:
    told = outcome_of(refusal)
    return {"reason": told["detail"], "code": told["code"], **({"errors": told["errors"]} if "errors" in told else {})}


def answer(report: dict[str, Any]) -> Response:
    """The report on one file under the status that sums it up."""
    return _answered(report, report["items"], f"All {len(report['items'])} runs of the file were refused")


def answer_several(report: dict[str, Any]) -> Response:
    """The report on several files under the status that sums them up; a file that cannot be read counts as one refused run."""
    told = [item for each in report["files"] for item in (each["items"] or [each])]
    return _answered(report, told, "All files were refused, or all of their runs")


def _answered(report: dict[str, Any], told: Sequence[dict[str, Any]], all_refused: str) -> Response:
    """One in which something of ours failed is not kept for a repeat of the request."""
    refused = sum("code" in each for each in told)
    if refused == len(told):
        detail = told[0]["reason"] if refused == 1 else f"{all_refused}; each item says why. Nothing was stored."
        return Response({**problem("import_refused", detail), **report}, status=422, content_type=MEDIA_TYPE)
    response = Response(report, status=207 if refused else _status(report))
    response.unkept = any(each.get("code") in OURS for each in told)  # type: ignore[attr-defined]
    return response


def _status(report: dict[str, Any]) -> int:
    new = report["counts"]["created"] + report["counts"]["superseded"]
    return 201 if new and not report["dry_run"] else 200
