"""The shapes of runs, and those that several resources have: for the list views' output and for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers


class Strict(serializers.Serializer[Any]):
    """A body whose misspelt fields are refused instead of being left out; no field of one is true or false, and a text is a text."""

    def to_internal_value(self, data: Any) -> Any:
        given = data if isinstance(data, dict) else {}
        faults = {
            name: exceptions.ErrorDetail("True or false does not fit here.", "invalid")
            for name, value in given.items()
            if isinstance(value, bool)
        }
        faults |= {
            name: exceptions.ErrorDetail("It must be a text.", "invalid")
            for name, value in given.items()
            if name not in faults and not _fits(self.fields.get(name), value)
        }
        unknown = sorted(given.keys() - self.fields.keys())
        faults |= {name: exceptions.ErrorDetail(f"There is no field '{name}' here.", "unknown_field") for name in unknown}
        if faults:
            raise serializers.ValidationError(faults)
        return super().to_internal_value(data)


def _fits(its: Any, value: Any) -> bool:
    """Whether a text, or a list of texts, is one: DRF would take a number for a text."""
    if isinstance(its, serializers.ListField) and isinstance(value, list):
        return all(_fits(its.child, each) for each in value)
    return value is None or isinstance(value, str) or not isinstance(its, serializers.CharField)


class FaultShape(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="JSON pointer into the body")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemShape(serializers.Serializer[Any]):
    """RFC 9457 problem details."""

    type = serializers.URLField(help_text="the page that explains the code")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    request_id = serializers.CharField(help_text="as in the X-Request-ID of the answer, and in our log")
    errors = FaultShape(many=True, required=False)  # type: ignore[assignment]  # DRF's own errors are never read here


class ProducerShape(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    version = serializers.CharField(max_length=40, required=False)


class CoverageShape(serializers.Serializer[Any]):
    planned = serializers.IntegerField(required=False, allow_null=True, help_text="samples selected times epochs")
    completed = serializers.IntegerField(required=False, allow_null=True)
    scored = serializers.IntegerField(required=False, allow_null=True)
    unscored = serializers.IntegerField(required=False)
    errored = serializers.IntegerField(required=False)
    limit_hit = serializers.IntegerField(required=False)


class TaskShape(serializers.Serializer[Any]):
    id = serializers.CharField()
    solved = serializers.IntegerField()
    attempts = serializers.IntegerField(required=False)
    family = serializers.CharField(required=False)


class MeasurementShape(serializers.Serializer[Any]):
    metric = serializers.CharField(max_length=60)
    value = serializers.FloatField(required=False, allow_null=True, help_text="in the evaluation's unit")
    solved = serializers.FloatField(required=False, allow_null=True)
    total = serializers.IntegerField(required=False, allow_null=True, help_text="samples, errored ones included")
    n_tasks = serializers.IntegerField(required=False, allow_null=True)
    stderr = serializers.FloatField(required=False, allow_null=True)
    ci_low = serializers.FloatField(required=False, allow_null=True)
    ci_high = serializers.FloatField(required=False, allow_null=True)
    ci_level = serializers.FloatField(required=False)
    tasks = TaskShape(many=True, required=False, allow_null=True)
    reason = serializers.CharField(required=False, help_text="why there is no value")
    direction = serializers.ChoiceField(
        ["higher", "lower"], required=False, allow_null=True, help_text="which way is more capable; refused where the evaluation differs"
    )


@extend_schema_field({"type": ["integer", "string"]})
class RunName(serializers.CharField):
    """12 or R-12."""


class RunBody(serializers.Serializer[Any]):
    """One run of an evaluation on a checkpoint."""

    producer = ProducerShape()
    external_id = serializers.CharField(max_length=200, help_text="the producer's own id; with its name it identifies the run")
    checkpoint = serializers.CharField(help_text="slug")
    evaluation = serializers.CharField(help_text="slug@version, or slug where there is one version")
    measurements = MeasurementShape(many=True, required=False)
    status = serializers.ChoiceField(["started", "success", "error", "cancelled", "lost"], required=False)
    started = serializers.DateTimeField(required=False, allow_null=True)
    completed = serializers.DateTimeField(required=False, allow_null=True)
    coverage = CoverageShape(required=False)
    elicitation = serializers.DictField(required=False)
    provenance = serializers.DictField(required=False)
    relationship = serializers.ChoiceField(["first_party", "third_party"], required=False)
    supersedes = RunName(required=False, allow_null=True, help_text="id or ref of the newest run of this identity, which this one corrects")
    heartbeat_seconds = serializers.IntegerField(
        required=False, allow_null=True, min_value=5, max_value=86_400, help_text="how often a started run says that it lives"
    )


class MovedShape(serializers.Serializer[Any]):
    """A line that moved since the version before."""

    evaluation = serializers.CharField()
    kind = serializers.CharField(help_text="alert, critical or rule_out")
    before = serializers.FloatField(allow_null=True, help_text="its value; null where there was no such line")
    after = serializers.FloatField(allow_null=True)
    changed = serializers.ListField(child=serializers.CharField(), required=False, help_text="what else of it differs")


class VerdictShape(serializers.Serializer[Any]):
    level = serializers.CharField()
    level_name = serializers.CharField()
    threshold = serializers.ChoiceField(["alert", "critical", "rule_out"])
    comparator = serializers.CharField()
    value = serializers.FloatField(help_text="where the line is drawn")
    policy = serializers.CharField()
    grade = serializers.ChoiceField(["ruled_out", "not_ruled_out", "likely", "confirmed"])
    reached = serializers.BooleanField()
    point = serializers.FloatField(allow_null=True)
    lower = serializers.FloatField(allow_null=True, help_text="one-sided bound")
    upper = serializers.FloatField(allow_null=True, help_text="one-sided bound")
    n_eff = serializers.FloatField(allow_null=True)
    needed = serializers.IntegerField(allow_null=True, help_text="tasks needed at least to be able to rule the line out")
    state_before = serializers.CharField()
    state = serializers.CharField()
    critical_ruled_out = serializers.BooleanField()
    illustrative = serializers.BooleanField(help_text="the lab has not published its line")
    checkpoint = serializers.CharField(required=False, help_text="of which it is read: the run's own, or one that inherits it")
    binding = serializers.BooleanField(required=False, help_text="false where the framework only compares")
    set_after = serializers.BooleanField(required=False, help_text="the run started before the line was published here")
    inherited = serializers.CharField(required=False, allow_null=True, help_text="slug of the checkpoint whose run counts here")
    moved = MovedShape(many=True, required=False)
    valid_until = serializers.DateTimeField(required=False, allow_null=True, help_text="when the first equivalence it rests on expires")
    missing = serializers.ListField(
        child=serializers.CharField(), help_text="evaluations that the level needs and no complete run has read"
    )
    message = serializers.CharField()


class CrossingShape(serializers.Serializer[Any]):
    level = serializers.CharField()
    kind = serializers.ChoiceField(["alert", "critical"])
    episode = serializers.IntegerField()


class CrisisLink(serializers.Serializer[Any]):
    ref = serializers.CharField(allow_null=True, help_text="null in a dry run that would open it")
    url = serializers.URLField(allow_null=True)
    opened = serializers.BooleanField(help_text="false where a live crisis was joined")


class RunReply(serializers.Serializer[Any]):
    """What a post caused."""

    id = serializers.IntegerField(allow_null=True, help_text="null in a dry run that would store it")
    ref = serializers.CharField(allow_null=True)
    dry_run = serializers.BooleanField(required=False, help_text="true where nothing was stored; left out otherwise")
    replayed = serializers.BooleanField()
    status = serializers.CharField()
    complete = serializers.BooleanField()
    verdicts = VerdictShape(many=True)
    crossings = CrossingShape(many=True)
    crises = CrisisLink(many=True)
    alerts_queued = serializers.IntegerField()
    notes = serializers.ListField(child=serializers.CharField())


class RunShape(serializers.Serializer[Any]):
    """A stored run."""

    id = serializers.IntegerField()
    ref = serializers.CharField()
    producer = serializers.CharField()
    external_id = serializers.CharField()
    revision = serializers.IntegerField()
    checkpoint = serializers.CharField(source="checkpoint.slug")
    evaluation = serializers.CharField(source="evaluation.key")
    status = serializers.CharField()
    started = serializers.DateTimeField(allow_null=True)
    completed = serializers.DateTimeField()
    received = serializers.DateTimeField()
    complete = serializers.BooleanField()
    planned = serializers.IntegerField(allow_null=True)
    scored = serializers.IntegerField(allow_null=True)
    errored = serializers.IntegerField()
    relationship = serializers.CharField()
    posted_by = serializers.CharField()
    supersedes = serializers.IntegerField(source="supersedes_id", allow_null=True)
    invalidated = serializers.DateTimeField(allow_null=True)
    digest = serializers.CharField()


class ResultShape(serializers.Serializer[Any]):
    metric = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    solved = serializers.FloatField(allow_null=True)
    total = serializers.IntegerField(allow_null=True)
    n_tasks = serializers.IntegerField(allow_null=True)
    stderr = serializers.FloatField(allow_null=True)
    ci_low = serializers.FloatField(allow_null=True)
    ci_high = serializers.FloatField(allow_null=True)
    reason = serializers.CharField()


class HeartbeatShape(serializers.Serializer[Any]):
    """What a started run said last of how far it is."""

    every = serializers.IntegerField(allow_null=True, help_text="seconds between signs, as declared")
    seen = serializers.DateTimeField(help_text="the last sign, by the server's clock")
    due = serializers.DateTimeField(allow_null=True, help_text="lost if nothing is heard until then; null once it is waited for no more")
    lost = serializers.DateTimeField(allow_null=True, help_text="when it was given up")
    planned = serializers.IntegerField(allow_null=True)
    completed = serializers.IntegerField(allow_null=True)
    scored = serializers.IntegerField(allow_null=True)
    errored = serializers.IntegerField(allow_null=True)
    tokens = serializers.IntegerField(allow_null=True)
    cost = serializers.FloatField(allow_null=True, help_text="US dollars")


class RunDetail(RunShape):
    results = ResultShape(many=True)
    elicitation = serializers.DictField()
    provenance = serializers.DictField()
    heartbeat = HeartbeatShape(allow_null=True, default=None, help_text="of a run that was started; null for any other")
    reply = RunReply(source="receipt.reply", allow_null=True, default=None)
