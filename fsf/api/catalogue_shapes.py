"""The shapes of what was registered beforehand: models, checkpoints, evaluations, frameworks, and what was signed about them."""

from typing import Any, ClassVar

import msgspec
from rest_framework import serializers

from evals.models import Checkpoint, Evaluation, FrontierModel
from fsf.api.reach import hides
from fsf.api.shapes import MovedShape, Strict
from thresholds.evidence import standing
from thresholds.library.shape import TASK, EvaluationEntry
from thresholds.library.soundness import evaluation_faults
from thresholds.models import CapabilityLevel, Equivalence, Framework, LevelStatus, Threshold
from thresholds.validity import FLAGS


class ModelShape(Strict, serializers.ModelSerializer[FrontierModel]):
    class Meta:
        model = FrontierModel
        fields = ("slug", "name", "developer", "family")
        extra_kwargs: ClassVar[dict[str, Any]] = {"slug": {"validators": []}}


class CheckpointShape(Strict, serializers.ModelSerializer[Checkpoint]):
    model = serializers.SlugRelatedField(slug_field="slug", queryset=FrontierModel.objects.all())
    parent = serializers.SlugRelatedField(  # type: ignore[assignment]  # a field of that name
        slug_field="slug", queryset=Checkpoint.objects.all(), required=False, allow_null=True
    )
    effective_compute = serializers.FloatField(required=False, allow_null=True, min_value=1, help_text="FLOP")

    class Meta:
        model = Checkpoint
        fields = ("slug", "name", "model", "trained", "released", "effective_compute", "parent", "relation")
        extra_kwargs: ClassVar[dict[str, Any]] = {"slug": {"validators": []}}

    def to_representation(self, instance: Checkpoint) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        return {**shown, "parent": None} if hides(self.context.get("request"), instance.parent) else shown

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("relation") and attrs.get("parent") is None:
            raise serializers.ValidationError({"parent": "A relation needs the parent that the checkpoint was made from."})
        return attrs


class FlagShape(serializers.Serializer[Any]):
    """What was found out about an evaluation since it was registered."""

    flag = serializers.ChoiceField(list(FLAGS))
    reason = serializers.CharField()
    source = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a field of that name
    by = serializers.CharField()
    at = serializers.DateTimeField()


class EvaluationShape(Strict, serializers.ModelSerializer[Evaluation]):
    slug = serializers.RegexField(TASK, max_length=100)
    key = serializers.CharField(read_only=True)
    validity = FlagShape(many=True, read_only=True)

    class Meta:
        model = Evaluation
        exclude = ("id",)
        validators = ()
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "icc_task": {"min_value": 0, "max_value": 1},
            "icc_family": {"min_value": 0, "max_value": 1},
            "n_tasks": {"min_value": 1, "max_value": 2_000_000_000},
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The same must hold as in a framework file."""
        _check_range(attrs)
        entry = _entry_of(attrs)
        _check_soundness(entry)
        parts: dict[str, Any] = {
            name: msgspec.to_builtins(getattr(entry, name)) for name in ("task_rule", "exclusions", "rubric") if name in attrs
        }
        return {**attrs, **parts}


def _check_range(attrs: dict[str, Any]) -> None:
    low, high = attrs.get("minimum"), attrs.get("maximum")
    if low is not None and high is not None and low >= high:
        raise serializers.ValidationError({"maximum": f"The range must end above its minimum ({low:g})."})


def _entry_of(attrs: dict[str, Any]) -> EvaluationEntry:
    """The body as an entry of a framework file; what does not fit is told by its field."""
    try:
        return msgspec.convert(attrs, EvaluationEntry)
    except msgspec.ValidationError as wrong:
        text, _, path = str(wrong).partition(" - at `$")
        raise serializers.ValidationError({path.strip("`.") or "non_field_errors": text.replace("`", "'") + "."}) from wrong


def _check_soundness(entry: EvaluationEntry) -> None:
    faults = {where.partition("[")[0] or "non_field_errors": f"{why[0].upper()}{why[1:]}." for where, why in evaluation_faults(entry)}
    if faults:
        raise serializers.ValidationError(faults)


class ThresholdShape(serializers.ModelSerializer[Threshold]):
    evaluation = serializers.CharField(source="evaluation.key")

    class Meta:
        model = Threshold
        exclude = ("id", "level")


class LevelShape(serializers.ModelSerializer[CapabilityLevel]):
    framework = serializers.CharField(source="framework.key")
    domain = serializers.CharField(source="domain.slug")
    thresholds = ThresholdShape(many=True)
    stages = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = CapabilityLevel
        fields = (
            "key",
            "framework",
            "domain",
            "slug",
            "name",
            "kind",
            "exploratory",
            "definition",
            "security",
            "source",
            "stages",
            "thresholds",
        )


class StatusShape(serializers.ModelSerializer[LevelStatus]):
    checkpoint = serializers.CharField(source="checkpoint.slug")
    level = serializers.CharField(source="level.key")
    evaluation = serializers.CharField(source="evaluation.key", allow_null=True, default=None)
    moved = MovedShape(many=True)
    set_after = serializers.SerializerMethodField(help_text="a reading it rests on began before its line was published here")
    inherited = serializers.SerializerMethodField(help_text="slugs of the checkpoints whose results it rests on")

    class Meta:
        model = LevelStatus
        exclude = ("id", "readings", "assessment")

    def get_set_after(self, row: LevelStatus) -> bool:
        return any(reading.get("set_after") for reading in _standing(row))

    def get_inherited(self, row: LevelStatus) -> list[str]:
        return sorted({reading["from"] for reading in _standing(row) if reading.get("from")})


def _standing(row: LevelStatus) -> list[dict[str, Any]]:
    """Every reading that a status rests on."""
    return [reading for slots in row.readings.values() for reading in standing(slots)]


class FrameworkShape(serializers.ModelSerializer[Framework]):
    key = serializers.CharField()
    levels: serializers.SlugRelatedField[CapabilityLevel] = serializers.SlugRelatedField(slug_field="key", many=True, read_only=True)
    notes = serializers.ListField(child=serializers.CharField())
    unpublished = serializers.ListField(child=serializers.CharField())
    cadence = serializers.ListField(child=serializers.DictField())
    supersedes = serializers.CharField(source="supersedes.key", allow_null=True, default=None)
    author = serializers.CharField(source="author.display_name", allow_null=True, default=None)
    approver = serializers.CharField(source="approver.display_name", allow_null=True, default=None)

    class Meta:
        model = Framework
        exclude = ("id", "content", "reread")


class ChangeShape(serializers.Serializer[Any]):
    """One thing that two versions say differently."""

    where = serializers.CharField()
    what = serializers.CharField(allow_blank=True)
    kind = serializers.CharField(help_text="added, removed, changed, or moved for the value of a line")
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    level = serializers.CharField(allow_blank=True)
    line = serializers.CharField(allow_blank=True)
    evaluation = serializers.CharField(allow_blank=True)
    direction = serializers.CharField(allow_blank=True, help_text="of a line that moved: easier or harder to reach")


class DifferenceShape(serializers.Serializer[Any]):
    against = serializers.CharField(help_text="key of the version before")
    changes = ChangeShape(many=True, allow_null=True, help_text="null where the version before kept no content")


class FrameworkDetail(FrameworkShape):
    content = serializers.DictField(help_text="the whole file, as the digest is made of it")
    difference = DifferenceShape(allow_null=True, help_text="to the version that it takes the place of")

    class Meta(FrameworkShape.Meta):
        exclude = ("id", "reread")  # type: ignore[assignment]  # with its content


class EquivalenceShape(serializers.ModelSerializer[Equivalence]):
    checkpoint = serializers.CharField(source="checkpoint.slug", help_text="which inherits")
    source = serializers.CharField(source="source.slug", help_text="whose results count")  # type: ignore[assignment]  # a field of that name
    domains = serializers.ListField(child=serializers.CharField(), help_text="empty for all")
    signed_by = serializers.CharField(source="signed_by.display_name")

    class Meta:
        model = Equivalence
        fields = ("id", "checkpoint", "source", "domains", "limits", "reason", "signed_by", "at", "expires", "ended", "ended_reason")
