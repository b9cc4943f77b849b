"""What was measured: models, their checkpoints, evaluations, runs with their results, and the schedules that start runs."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.lookups import Exact

STATUSES = ("started", "success", "error", "cancelled", "lost")
# all but success, spelt so that SQLite, too, recognises one of them in it
RARE = Q(status="started") | Q(status="error") | Q(status="cancelled") | Q(status="lost")


class FrontierModel(models.Model):
    """A model family member as the lab names it; `developer` decides which frameworks govern it."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    developer = models.CharField(max_length=120)
    family = models.CharField(max_length=120, blank=True, help_text="whose frontier it belongs to; the developer's where empty")

    def __str__(self) -> str:
        return self.name


class Checkpoint(models.Model):
    """One exact set of weights: what an evaluation ran on and what a gate answers for."""

    model = models.ForeignKey(FrontierModel, on_delete=models.PROTECT, related_name="checkpoints")
    slug = models.CharField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    trained = models.DateField(null=True, blank=True, help_text="end of training")
    released = models.DateField(null=True, blank=True, help_text="first external release")
    effective_compute = models.FloatField(null=True, blank=True, help_text="FLOP")
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    relation = models.CharField(
        max_length=20,
        blank=True,
        choices=[(kind, kind) for kind in ("fine-tune", "distillation", "continued", "quantised", "merge")],
        help_text="how it was made from its parent",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(effective_compute__isnull=True) | Q(effective_compute__gt=0), name="compute_positive"),
            models.CheckConstraint(condition=Q(parent__isnull=False) | Q(relation=""), name="relation_needs_parent"),
        ]

    def __str__(self) -> str:
        return self.name


class Told(Exact):
    """`checkpoint__id__told=41`: the id as a number of the statement, so that the planner knows how many runs of it there are."""

    lookup_name = "told"

    def process_rhs(self, compiler: Any, connection: Any) -> tuple[str, Any]:  # noqa: ARG002 - Django's own order
        """The digits."""
        return str(int(self.rhs)), ()

    def get_rhs_op(self, connection: Any, rhs: str) -> str:  # noqa: ARG002 - as above
        """Compared as by `exact`."""
        return f"= {rhs}"


Checkpoint._meta.get_field("id").register_lookup(Told)  # noqa: SLF001 - Django's documented way


class Evaluation(models.Model):
    """A versioned task set with everything a number from it needs to be read: unit, direction, range, population."""

    UNITS = ("proportion", "count", "minutes", "ratio", "points", "grade")

    slug = models.SlugField(max_length=100)
    version = models.CharField(max_length=30)
    name = models.CharField(max_length=200)
    metric = models.CharField(max_length=60, default="solved", help_text="the measurement a line is compared with")
    unit = models.CharField(max_length=20, choices=[(unit, unit) for unit in UNITS])
    direction = models.CharField(max_length=6, choices=[("higher", "higher"), ("lower", "lower")], help_text="which way is more capable")
    scale = models.CharField(max_length=6, choices=[("linear", "linear"), ("log", "log")], default="linear")
    minimum = models.FloatField(null=True, blank=True)
    maximum = models.FloatField(null=True, blank=True)
    n_tasks = models.PositiveIntegerField(null=True, blank=True, help_text="distinct tasks")
    population = models.CharField(max_length=5, choices=[("wider", "wider"), ("suite", "suite")], default="wider")
    icc_task = models.FloatField(default=1.0, help_text="declared correlation of attempts at one task, before results")
    icc_family = models.FloatField(default=0.0, help_text="declared correlation of tasks of one family, before results")
    kind = models.CharField(max_length=6, default="tasks", help_text="tasks, or expert: named people grade it by a rubric")
    task_rule = models.JSONField(default=dict, help_text="when a task passes: rule, k, above; empty for the mean of its attempts")
    exclusions = models.JSONField(default=list, help_text="tasks set aside before results: task, treatment, reason")
    refusals = models.CharField(max_length=7, default="missing", help_text="what a refusal is: missing, or failed")
    looks = models.PositiveSmallIntegerField(null=True, blank=True, help_text="how often one checkpoint is looked at, said beforehand")
    comparability = models.CharField(max_length=40, blank=True, help_text="versions with the same word here may be joined in a trend")
    rubric = models.JSONField(default=list, help_text="what each grade means: grade, says")
    validity = models.JSONField(default=list, help_text="what was found out since: flag, reason, source, by, at")
    description = models.TextField(blank=True)
    source = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug", "version"], name="evaluation_version"),
            models.CheckConstraint(condition=Q(direction__in=["higher", "lower"]), name="direction_known"),
            models.CheckConstraint(condition=Q(kind="tasks") | Q(kind="expert", unit="grade"), name="evaluation_kind_known"),
            models.CheckConstraint(condition=Q(refusals__in=["missing", "failed"]), name="refusals_known"),
            models.CheckConstraint(condition=Q(icc_task__gte=0, icc_task__lte=1, icc_family__gte=0, icc_family__lte=1), name="icc_range"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        """`slug@version`, the name pipelines post under."""
        return f"{self.slug}@{self.version}"


class WrittenOut(Exact):
    """A status as a word of the statement and not as its parameter: of a parameter no plan that is kept for all of them can tell whether
    an index of rare statuses holds it."""

    def process_rhs(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """The word itself where it is one of ours."""
        if isinstance(self.rhs, str) and self.rhs in STATUSES:
            return f"'{self.rhs}'", ()
        return super().process_rhs(compiler, connection)


class EvalRun(models.Model):
    """One run of an evaluation on a checkpoint as its producer reported it; never changed, only superseded or invalidated."""

    producer = models.CharField(max_length=80)
    producer_version = models.CharField(max_length=40, blank=True)
    external_id = models.CharField(max_length=200)
    revision = models.PositiveIntegerField(default=1, help_text="1, then one more for each correction")
    digest = models.CharField(max_length=64, help_text="hex SHA-256 of the canonical content")
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="runs", db_index=False)
    evaluation = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="runs", db_index=False)
    status = models.CharField(max_length=10)
    status.register_lookup(WrittenOut)
    started = models.DateTimeField(null=True)
    completed = models.DateTimeField(help_text="when the producer finished, or when it was received where it does not say")
    received = models.DateTimeField()
    judged = models.DateTimeField(null=True, help_text="when it was read against the lines in force and answered")
    planned = models.PositiveIntegerField(null=True, help_text="samples that should have run")
    finished = models.PositiveIntegerField(null=True, help_text="samples that ran to their end")
    scored = models.PositiveIntegerField(null=True)
    unscored = models.PositiveIntegerField(default=0)
    errored = models.PositiveIntegerField(default=0)
    limit_hit = models.PositiveIntegerField(default=0, help_text="samples stopped by a token, time, message or cost limit")
    complete = models.BooleanField(help_text="covers its plan; an incomplete run may raise a state, never lower it")
    elicitation = models.JSONField(default=dict)
    provenance = models.JSONField(default=dict)
    relationship = models.CharField(max_length=12, default="first_party", help_text="first_party or third_party")
    posted_by = models.CharField(max_length=150)
    supersedes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="superseded_by")
    invalidated = models.DateTimeField(null=True)
    invalidated_by = models.CharField(max_length=150, blank=True)
    invalidated_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["producer", "external_id", "revision"], name="run_identity"),
            models.CheckConstraint(condition=Q(status__in=STATUSES), name="run_status_known"),
            models.CheckConstraint(condition=Q(relationship__in=["first_party", "third_party"]), name="run_relationship_known"),
            models.CheckConstraint(condition=Q(invalidated__isnull=True) | ~Q(invalidated_reason=""), name="invalidated_needs_reason"),
        ]
        indexes = [
            models.Index(fields=["checkpoint", "evaluation", "-completed", "-id"], name="run_series"),
            models.Index(fields=["evaluation", "-completed", "-id"], name="run_by_evaluation"),
            models.Index(fields=["-received", "-id"], name="run_newest"),
            models.Index(fields=["id"], condition=Q(judged__isnull=True), name="run_unjudged"),
            models.Index(fields=["checkpoint", "evaluation"], condition=Q(status="lost"), name="run_lost"),
            # what is asked for by id and is rare; most runs are in neither, and storing them costs nothing more
            models.Index(fields=["status", "id"], condition=RARE, name="run_unsuccessful"),
            models.Index(fields=["id"], condition=Q(complete=False), name="run_incomplete"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        """The name people use for it: R-12."""
        return f"R-{self.pk}"


class Heartbeat(models.Model):
    """What a run that was started said last of how far it is, and until when it is waited for.

    The run itself stays as it was reported. Where nothing is heard in time a new run, its next revision, says that it is lost; this
    row keeps since when. Each count is the highest that was said, so that signs that come late or twice change nothing.
    """

    COUNTS = ("planned", "completed", "scored", "errored", "tokens", "cost")

    run = models.OneToOneField(EvalRun, on_delete=models.PROTECT, primary_key=True, related_name="heartbeat")
    owner = models.CharField(max_length=80, blank=True, help_text="kind and id of the account that started it; empty where none was kept")
    every = models.PositiveIntegerField(null=True, help_text="seconds between signs, as its producer declared them")
    seen = models.DateTimeField(help_text="the last sign, by the server's clock; at first its start")
    due = models.DateTimeField(null=True, help_text="lost if nothing is heard until then; null once it is waited for no more")
    lost = models.DateTimeField(null=True, help_text="when it was given up")
    beats = models.PositiveIntegerField(default=0)
    planned = models.PositiveIntegerField(null=True, help_text="samples that are to run")
    completed = models.PositiveIntegerField(null=True, help_text="samples that ran to their end")
    scored = models.PositiveIntegerField(null=True)
    errored = models.PositiveIntegerField(null=True)
    tokens = models.BigIntegerField(null=True, help_text="spent so far")
    cost = models.FloatField(null=True, help_text="US dollars spent so far")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(due__isnull=True) | Q(lost__isnull=True), name="heartbeat_lost_or_due")]
        indexes = [models.Index(fields=["due"], condition=Q(due__isnull=False), name="heartbeat_due")]

    def __str__(self) -> str:
        return f"heartbeat of {self.run_id}"


class EvalResult(models.Model):
    """One measurement of a run with the uncertainty it came with, or null with the reason there is none."""

    run = models.ForeignKey(EvalRun, on_delete=models.PROTECT, related_name="results", db_index=False)
    metric = models.CharField(max_length=60)
    value = models.FloatField(null=True, help_text="in the evaluation's unit")
    solved = models.FloatField(null=True)
    total = models.PositiveIntegerField(null=True, help_text="samples, errored ones included")
    n_tasks = models.PositiveIntegerField(null=True)
    stderr = models.FloatField(null=True)
    ci_low = models.FloatField(null=True)
    ci_high = models.FloatField(null=True)
    ci_level = models.FloatField(default=0.95)
    tasks = models.JSONField(null=True, help_text="per task: id, solved, attempts, family")
    reason = models.CharField(max_length=200, blank=True, help_text="why there is no value")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "metric"], name="one_result_per_metric"),
            models.CheckConstraint(
                condition=Q(value__isnull=False) | Q(solved__isnull=False) | ~Q(reason=""), name="null_result_needs_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.metric}"


class EvalSchedule(models.Model):
    """An evaluation that runs by itself: due at a time, then again after its interval."""

    evaluation = models.ForeignKey(Evaluation, on_delete=models.PROTECT)
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT)
    name = models.CharField(max_length=120, unique=True)
    command = models.JSONField(help_text="list of arguments; {python}, {checkpoint}, {evaluation} and {out} are filled in, no shell")
    every_minutes = models.PositiveIntegerField(help_text="minutes between runs")
    timeout_seconds = models.PositiveIntegerField(default=3600)
    due = models.DateTimeField(db_index=True)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(every_minutes__gte=1), name="schedule_has_interval")]

    def __str__(self) -> str:
        return self.name


class EvalJob(models.Model):
    """One slot of a schedule: launched as a subprocess, polled, collected; every step a short task."""

    STATES = ("claimed", "launched", "collected", "failed")

    schedule = models.ForeignKey(EvalSchedule, on_delete=models.PROTECT, related_name="jobs")
    slot = models.DateTimeField(help_text="the due time it answers")
    state = models.CharField(max_length=10, default="claimed")
    folder = models.CharField(max_length=300, blank=True)
    pid = models.PositiveIntegerField(null=True)
    claimed = models.DateTimeField()
    launched = models.DateTimeField(null=True)
    deadline = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    next_step = models.DateTimeField(null=True, help_text="not before then does a worker look again; also the lease")
    run = models.ForeignKey(EvalRun, on_delete=models.PROTECT, null=True, related_name="jobs")
    error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "slot"], name="one_job_per_slot"),
            models.CheckConstraint(condition=Q(state__in=["claimed", "launched", "collected", "failed"]), name="job_state_known"),
        ]
        indexes = [models.Index(fields=["next_step"], condition=Q(state__in=["claimed", "launched"]), name="job_open")]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.slot:%Y-%m-%d %H:%M}"
