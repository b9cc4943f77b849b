"""Publishing a framework version: its lines are frozen, a second person approves, and what was measured is read by it."""

import datetime as dt

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Concat

from accounts.models import User
from accounts.roles import SYSTEM, Actor, NotAllowed, Refused, require
from audit import log
from evals.models import EvalRun
from thresholds.assess import judge_again
from thresholds.models import Framework, LevelStatus
from thresholds.places import carry_over, lock

LEAST_DIGITS = 12  # of a digest, as it is shown


class NotPublishable(Refused):
    """The draft cannot be published as it stands."""


def find_framework(key: str) -> Framework:
    """The version named `slug-version`, with its author, its approver and the version it supersedes; raises Framework.DoesNotExist."""
    named = Framework.objects.annotate(name=Concat("slug", Value("-"), "version")).filter(name=key)
    return named.select_related("author", "approver", "supersedes").order_by("pk")[:1].get()


@transaction.atomic
@log.gathered()
def publish(*, framework_id: int, reviewed: str, approver: Actor, reason: str, now: dt.datetime) -> Framework:
    """Freeze a draft by the approval of another person than its author; from its day on it judges, and never changes again.

    `reviewed` is the digest of what the approver read, its first 12 digits at least: a draft may be loaded anew at any time.
    Raises NotAllowed where the approver may not, or is the author; NotPublishable where it is no draft, or not the one that was
    reviewed, nobody is its author, or a successor comes without a reason.
    """
    person = require(approver, "thresholds.publish")
    framework = Framework.objects.select_for_update(of=("self",)).select_related("author").get(pk=framework_id)
    _check_draft(framework)
    _check_author(framework, approver, person)
    _check_reviewed(framework, reviewed)
    framework.supersedes = predecessor(framework)
    framework.reason = reason.strip() or framework.reason
    _check_succession(framework)
    framework.approver = User.objects.get(pk=person)
    return _freeze(framework, approver, now)


def _check_author(framework: Framework, approver: Actor, person: int) -> None:
    if framework.author is None:
        raise NotPublishable(f"Nobody is named as the author of {framework}; load it again with --author.")
    if framework.author_id == person:
        raise NotAllowed(approver, "thresholds.publish", f"{approver.name} wrote {framework}; another person must approve it.")


def _check_reviewed(framework: Framework, reviewed: str) -> None:
    if len(reviewed) < LEAST_DIGITS or not framework.digest.startswith(reviewed):
        raise NotPublishable(
            f"{framework} is not what was reviewed: its digest is {framework.digest[:LEAST_DIGITS]}, not "
            f"'{reviewed[:LEAST_DIGITS]}'. Read it as it is now, then approve it."
        )


def _check_succession(framework: Framework) -> None:
    if framework.supersedes is not None and framework.effective_from < framework.supersedes.effective_from:
        raise NotPublishable(f"{framework} would be in force from before {framework.supersedes}, which it supersedes; give it a later day.")
    if framework.supersedes is not None and not framework.reason:
        raise NotPublishable(f"{framework} supersedes {framework.supersedes}; say why its lines were changed.")


@transaction.atomic
@log.gathered()
def publish_library(*, framework: Framework, now: dt.datetime) -> Framework:
    """Freeze a version that ships with the product, as it stands: it records what a developer has published."""
    _check_draft(framework)
    if framework.origin != "library":
        raise NotPublishable(f"{framework} was loaded from a file here; two people must publish it.")
    framework.supersedes = predecessor(framework)
    return _freeze(framework, SYSTEM, now)


def _check_draft(framework: Framework) -> None:
    if framework.state != "draft":
        raise NotPublishable(f"{framework} was published on {framework.published:%d %b %Y}; a changed framework needs a new version.")


def predecessor(framework: Framework) -> Framework | None:
    """The version that this one takes the place of: the one it names, or else the newest published one that came into force before it."""
    if framework.supersedes is not None:
        return framework.supersedes
    earlier = Framework.objects.filter(slug=framework.slug, state="published", effective_from__lte=framework.effective_from)
    return earlier.exclude(pk=framework.pk).order_by("effective_from", "loaded", "pk").last()


def _freeze(framework: Framework, actor: Actor, now: dt.datetime) -> Framework:
    framework.state, framework.published = "published", now
    framework.save()
    log.record(
        action="thresholds.framework.publish",
        about=f"framework:{framework.key}",
        actor=actor,
        now=now,
        data={
            "digest": framework.digest,
            "supersedes": framework.supersedes.key if framework.supersedes else None,
            "author": framework.author.username if framework.author else None,
            "reason": framework.reason,
        },
    )
    if framework.effective_from <= now.date():
        reread(framework=framework, now=now)
    return framework


def reread(*, framework: Framework, now: dt.datetime) -> int:
    """Read what was measured before by a version that has come into force, wherever the version before had judged; returns how many
    readings there were. What had been reached stays reached, and each reading says which lines moved."""
    count = 0
    if framework.supersedes_id is not None:
        lock(LevelStatus.objects.filter(level__framework=framework))
        carry_over(framework, now)
        judged = LevelStatus.objects.filter(level__framework=framework.supersedes_id).exclude(state="no_result")
        runs = EvalRun.objects.filter(
            checkpoint__in=judged.values("checkpoint"), judged__isnull=False, invalidated__isnull=True, superseded_by__isnull=True
        )
        for run in runs.select_related("checkpoint__model", "evaluation").order_by("completed", "pk"):
            count += len(judge_again(run=run, frameworks=[framework], now=now))
    framework.reread = now
    framework.save(update_fields=["reread"])
    return count


def come_into_force(*, now: dt.datetime) -> list[int]:
    """Ids of published versions whose day has come and by which nothing was read anew yet."""
    waiting = Framework.objects.filter(state="published", reread__isnull=True, effective_from__lte=now.date())
    return list(waiting.order_by("effective_from", "pk").values_list("pk", flat=True))
