"""What the frameworks say, and what the evidence says about it: lines, assessments, the maintained status, crossings."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from thresholds.evidence import STATES


class Framework(models.Model):
    """One version of a lab's framework, loaded from a file whose digest is kept: the same version never changes."""

    slug = models.SlugField(max_length=60)
    version = models.CharField(max_length=20)
    developer = models.CharField(max_length=120, help_text="governs the models of this developer")
    title = models.CharField(max_length=200)
    effective_from = models.DateField(help_text="in force from this day until the next version's")
    source = models.TextField()
    summary = models.TextField(blank=True)
    notes = models.JSONField(default=list)
    plan_note = models.TextField(blank=True, help_text="where the checklists come from")
    retest_days = models.PositiveIntegerField(default=180, help_text="days after which evidence is stale")
    cadence = models.JSONField(default=list, help_text="when evaluations are repeated: trigger, multiple, months or days, levels, source")
    unpublished = models.JSONField(default=list, help_text="what the developer has not published")
    content = models.JSONField(default=dict, help_text="the whole file, canonical")
    digest = models.CharField(max_length=64, help_text="hex SHA-256 of the canonical content")
    loaded = models.DateTimeField()
    state = models.CharField(max_length=10, default="draft", help_text="draft or published; only what is published judges")
    origin = models.CharField(max_length=10, default="file", help_text="library: came with the product as it stands; file: loaded here")
    supersedes = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="successors")
    reason = models.TextField(blank=True, help_text="why this version was made")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    published = models.DateTimeField(null=True, help_text="when its lines were frozen here")
    reread = models.DateTimeField(null=True, help_text="when earlier results were read by it, once it was in force")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug", "version"], name="framework_version"),
            models.CheckConstraint(condition=Q(state__in=["draft", "published"]), name="framework_state_known"),
            models.CheckConstraint(condition=Q(origin__in=["library", "file"]), name="framework_origin_known"),
            models.CheckConstraint(condition=Q(state="draft") | Q(published__isnull=False), name="published_has_time"),
            models.CheckConstraint(
                condition=Q(state="draft")
                | Q(origin="library")
                | (Q(author__isnull=False, approver__isnull=False) & ~Q(author=F("approver"))),
                name="published_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} {self.version}"

    @property
    def key(self) -> str:
        """`slug-version`, for example gdm-fsf-3.0."""
        return f"{self.slug}-{self.version}"


class RiskDomain(models.Model):
    """A kind of harm that levels are grouped by; shared by all frameworks."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    position = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class CapabilityLevel(models.Model):
    """One level of a framework version; the kinds have no order among them (a tracked level may lie above an alert line)."""

    KINDS = ("tracked", "critical", "high", "tier")

    framework = models.ForeignKey(Framework, on_delete=models.PROTECT, related_name="levels")
    domain = models.ForeignKey(RiskDomain, on_delete=models.PROTECT, related_name="levels")
    key = models.CharField(max_length=140, unique=True, help_text="framework key and slug, for example gdm-fsf-3.0.cyber-uplift-1")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10)
    exploratory = models.BooleanField(default=False)
    definition = models.TextField()
    security = models.CharField(max_length=80, blank=True, help_text="recommended security of the weights")
    source = models.TextField(blank=True)
    stages = models.JSONField(default=list, help_text="deployment stages it gates: internal, external")
    combine = models.CharField(max_length=6, default="any", help_text="how its evaluations add up: any, all or k_of_n")
    combine_k = models.PositiveSmallIntegerField(null=True, help_text="for k_of_n only")
    lead_days = models.PositiveIntegerField(default=0, help_text="days that the plan needs after a warning")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["framework", "slug"], name="level_in_framework"),
            models.CheckConstraint(condition=Q(kind__in=["tracked", "critical", "high", "tier"]), name="level_kind_known"),
            models.CheckConstraint(
                condition=Q(combine__in=["any", "all"], combine_k__isnull=True) | Q(combine="k_of_n", combine_k__gte=1),
                name="level_combines",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Threshold(models.Model):
    """A line drawn beforehand: which value of which evaluation counts as reaching the level, and by which policy."""

    level = models.ForeignKey(CapabilityLevel, on_delete=models.PROTECT, related_name="thresholds")
    evaluation = models.ForeignKey("evals.Evaluation", on_delete=models.PROTECT, related_name="thresholds")
    kind = models.CharField(max_length=10, help_text="alert, critical or rule_out")
    comparator = models.CharField(max_length=2, default=">=")
    value = models.FloatField(help_text="in the evaluation's unit")
    policy = models.CharField(max_length=15)
    posterior = models.FloatField(null=True, help_text="probability, for the posterior policy only")
    confidence = models.FloatField(default=0.95, help_text="one-sided")
    rule = models.CharField(max_length=5, default="share", help_text="share: the value decides; all: every task of the suite passes")
    margin = models.FloatField(default=0, help_text="elicitation margin on the bound nearest the line; on a log scale a factor less one")
    required = models.BooleanField(default=True, help_text="the level is clear only once this line has been read")
    alternative = models.CharField(max_length=40, blank=True, help_text="lines of one group stand in for each other")
    illustrative = models.BooleanField(default=False)
    reason = models.TextField(blank=True)
    source = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["level", "evaluation", "kind"], name="one_line_of_a_kind"),
            models.CheckConstraint(condition=Q(kind__in=["alert", "critical", "rule_out"]), name="line_kind_known"),
            models.CheckConstraint(condition=Q(comparator__in=[">=", ">", "<=", "<"]), name="comparator_known"),
            models.CheckConstraint(
                condition=Q(policy__in=["precautionary", "point", "confirmed"]) | Q(policy="posterior", posterior__gt=0, posterior__lt=1),
                name="policy_known",
            ),
            models.CheckConstraint(condition=Q(illustrative=False) | ~Q(reason=""), name="illustrative_needs_reason"),
            models.CheckConstraint(condition=Q(rule="share") | Q(rule="all", value=1), name="line_rule_known"),
            models.CheckConstraint(condition=Q(margin__gte=0), name="margin_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.comparator} {self.value:g}"


class Assessment(models.Model):
    """What one run said about one level at the time: readings, the state before and after, in words and numbers."""

    run = models.ForeignKey("evals.EvalRun", on_delete=models.PROTECT, related_name="assessments", db_index=False)
    checkpoint = models.ForeignKey("evals.Checkpoint", on_delete=models.PROTECT, related_name="assessments", db_index=False)
    level = models.ForeignKey(CapabilityLevel, on_delete=models.PROTECT, related_name="assessments", db_index=False)
    at = models.DateTimeField()
    state_before = models.CharField(max_length=12)
    state = models.CharField(max_length=12)
    reading_state = models.CharField(max_length=12, help_text="what the evidence alone says now; the state may be latched above it")
    complete = models.BooleanField()
    critical_ruled_out = models.BooleanField()
    illustrative = models.BooleanField()
    binding = models.BooleanField(default=True, help_text="false where the framework only compares: it is another developer's")
    set_after = models.BooleanField(default=False, help_text="the run started before the line was published here")
    inherited = models.ForeignKey(
        "Equivalence", on_delete=models.PROTECT, null=True, related_name="assessments", help_text="by which another checkpoint's run counts"
    )
    moved = models.JSONField(default=list, help_text="lines that moved since the version before: evaluation, kind, before, after")
    readings = models.JSONField(help_text="one per line: threshold, kind, value, policy, grade, reached, point, lower, upper, n_eff, note")
    facts = models.JSONField(default=dict, help_text="what was counted, set aside and attested, and what qualifies it")
    message = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "level", "checkpoint"], name="one_assessment_per_run_and_level"),
            models.CheckConstraint(condition=Q(state__in=STATES) & Q(state_before__in=STATES), name="assessment_state_known"),
        ]
        indexes = [models.Index(fields=["level", "checkpoint", "-at"], name="assessment_series")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.level_id} {self.state}"


class LevelStatus(models.Model):
    """The maintained summary of one checkpoint at one level: every page and the gate read this row, never the results."""

    checkpoint = models.ForeignKey("evals.Checkpoint", on_delete=models.PROTECT, related_name="statuses")
    level = models.ForeignKey(CapabilityLevel, on_delete=models.PROTECT, related_name="statuses")
    state = models.CharField(max_length=12, default="no_result")
    reading_state = models.CharField(max_length=12, default="no_result")
    since = models.DateTimeField(null=True, help_text="when the state was reached")
    assessed = models.DateTimeField(null=True)
    taken = models.DateTimeField(null=True, help_text="when the oldest reading that the state rests on was completed")
    evaluation = models.ForeignKey("evals.Evaluation", on_delete=models.PROTECT, null=True, db_index=False, help_text="whose numbers lead")
    point = models.FloatField(null=True)
    lower = models.FloatField(null=True)
    upper = models.FloatField(null=True)
    n_eff = models.FloatField(null=True)
    alert_value = models.FloatField(null=True)
    critical_value = models.FloatField(null=True)
    critical_ruled_out = models.BooleanField(default=False)
    illustrative = models.BooleanField(default=False)
    episode = models.PositiveIntegerField(default=1, help_text="counts the times the state was signed down, plus one")
    readings = models.JSONField(default=dict, help_text="newest reading per evaluation key, and what it rests on")
    message = models.TextField(blank=True)
    assessment = models.ForeignKey(Assessment, on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    binding = models.BooleanField(default=True, help_text="false where the framework only compares: no crossing, no crisis, no gate")
    moved = models.JSONField(default=list, help_text="lines that moved since the version before: evaluation, kind, before, after")
    moved_from = models.CharField(max_length=12, blank=True, help_text="the state under the version before")
    valid_until = models.DateTimeField(null=True, help_text="when the first equivalence that it rests on expires")
    forecast_crosses = models.BooleanField(default=False, help_text="the forecast reaches a line within the lead time: a clear is a watch")
    reported = models.CharField(max_length=30, blank=True, help_text="what the lab itself determined")
    reported_on = models.DateField(null=True)
    differs = models.BooleanField(default=False, help_text="the lab's determination and our reading do not say the same")

    class Meta:
        verbose_name_plural = "level statuses"
        constraints = [
            models.UniqueConstraint(fields=["checkpoint", "level"], name="one_status"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="status_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.checkpoint_id} {self.level_id} {self.state}"

    @property
    def latched(self) -> bool:
        """Whether the state stands above what the newest evidence says, waiting for a named person to sign it down."""
        return STATES.index(self.state) > STATES.index(self.reading_state) and self.state in {"alert", "critical"}


class Crossing(models.Model):
    """A line reached for the first time in an episode: what opens or joins a crisis, and is told exactly once."""

    checkpoint = models.ForeignKey("evals.Checkpoint", on_delete=models.PROTECT, related_name="crossings")
    level = models.ForeignKey(CapabilityLevel, on_delete=models.PROTECT, related_name="crossings")
    kind = models.CharField(max_length=10, help_text="alert or critical")
    episode = models.PositiveIntegerField()
    assessment = models.ForeignKey(Assessment, on_delete=models.PROTECT, related_name="crossings")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["checkpoint", "level", "kind", "episode"], name="one_crossing_per_episode"),
            models.CheckConstraint(condition=Q(kind__in=["alert", "critical"]), name="crossing_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.level_id} {self.checkpoint_id}"


class Determination(models.Model):
    """What a lab or another named body stated about a checkpoint and a level: recorded beside our reading, never instead of it."""

    STATUSES = (
        "below",
        "alert",
        "alert_ccl_undetermined",
        "below_ccl",
        "threshold_crossed",
        "high_reached",
        "critical",
        "inherited_below",
    )

    checkpoint = models.ForeignKey("evals.Checkpoint", on_delete=models.PROTECT, related_name="determinations")
    level = models.ForeignKey(CapabilityLevel, on_delete=models.PROTECT, related_name="determinations")
    status = models.CharField(max_length=30)
    stated = models.DateField()
    source = models.TextField()
    note = models.TextField(blank=True)
    recorded = models.DateTimeField()
    recorded_by = models.CharField(max_length=150)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["checkpoint", "level", "stated", "status"], name="one_determination_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.stated}"


class Equivalence(models.Model):
    """A signed statement that one checkpoint is no more capable than another, so that the other's results count for it, until a date."""

    checkpoint = models.ForeignKey("evals.Checkpoint", on_delete=models.PROTECT, related_name="equivalences", help_text="which inherits")
    source = models.ForeignKey("evals.Checkpoint", on_delete=models.PROTECT, related_name="heirs", help_text="whose results count")
    domains = models.JSONField(default=list, help_text="slugs of the risk domains it holds for; empty for all")
    limits = models.TextField(help_text="what it does not cover: tools, fine-tuning, modes")
    reason = models.TextField()
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    expires = models.DateTimeField()
    ended = models.DateTimeField(null=True, help_text="when it expired or was revoked and its readings were taken back")
    ended_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(checkpoint=F("source")), name="equivalence_of_two"),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(limits=""), name="equivalence_says_why"),
            models.CheckConstraint(condition=Q(expires__gt=F("at")), name="equivalence_expires_later"),
            models.UniqueConstraint(fields=["checkpoint", "source"], condition=Q(ended__isnull=True), name="one_live_equivalence"),
        ]

    def __str__(self) -> str:
        return f"{self.checkpoint} as {self.source}"


class Forecast(models.Model):
    """When the frontier of one developer's models may cross a level's lines on one evaluation, or why that cannot be said yet."""

    level = models.ForeignKey(CapabilityLevel, on_delete=models.PROTECT, related_name="forecasts")
    evaluation = models.ForeignKey("evals.Evaluation", on_delete=models.PROTECT, related_name="+")
    axis = models.CharField(max_length=7, default="date", help_text="date or compute")
    family = models.CharField(max_length=120, help_text="the developer or model family whose frontier it is")
    made = models.DateTimeField()
    refused = models.TextField(blank=True, help_text="why there is none")
    content = models.JSONField(default=dict, help_text="per line kind: q10, median, q90, probabilities, trend; the band")
    crosses = models.BooleanField(default=False, help_text="a line is reached within the lead time by q10")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["level", "evaluation", "family", "axis"], name="one_forecast"),
            models.CheckConstraint(condition=Q(axis__in=["date", "compute"]), name="forecast_axis_known"),
        ]

    def __str__(self) -> str:
        return f"{self.level_id} {self.evaluation_id} {self.family} by {self.axis}"


class SignDown(models.Model):
    """A named person's signature that lowers a latched state to what the evidence says."""

    status = models.ForeignKey(LevelStatus, on_delete=models.PROTECT, related_name="sign_downs")
    state_before = models.CharField(max_length=12)
    state = models.CharField(max_length=12)
    episode = models.PositiveIntegerField()
    reason = models.TextField()
    evidence = models.JSONField(default=dict, help_text="the pooled evidence it rests on: runs, looks, e-value or bound, by evaluation")
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="sign_down_needs_reason")]

    def __str__(self) -> str:
        return f"{self.state_before} to {self.state}"
