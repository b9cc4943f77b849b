"""Only the account that started a run speaks for it and ends it, whatever the accounts are called and by whatever way its result comes."""

import datetime as dt
from dataclasses import replace

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from accounts.roles import SYSTEM, Actor, Kind, Refused
from crises import importing
from crises.importing import import_runs
from crises.watching import finish_run, hear_run, lose_run
from evals.authors import NotTheAuthor
from evals.heartbeats import hear
from evals.ingest import record_run
from evals.models import EvalRun, Heartbeat
from evals.storing import Posted, record_runs
from evals.submissions import InvalidSubmission, parse
from tests.conftest import run_body

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]
SAM, NAMESAKE = Actor(Kind.PERSON, "Sam Lee", 12), Actor(Kind.PERSON, "Sam Lee", 13)
WEEKLY = Actor(Kind.SERVICE, "weekly", 12)


def singly(*posts, now):
    """The plain way, one after the other: what each came to."""
    return [_alone(post, now) for post in posts]


def _alone(post, now):
    try:
        return record_run(submission=post.submission, actor=post.actor, now=now)
    except (Refused, InvalidSubmission) as refusal:
        return refusal


def together(*posts, now):
    return record_runs(posts=posts, now=now)


def one_each(*posts, now):
    return [found for post in posts for found in record_runs(posts=[post], now=now)]


ways = pytest.mark.parametrize("way", [singly, together, one_each])


def by(actor, *counts, **more):
    return Posted(parse(run_body(*counts, **more)), actor)


def start_of(actor, now):
    return record_run(submission=by(actor, status="started").submission, actor=actor, now=now).run


@ways
def test_a_start_keeps_whose_it_is_by_kind_and_id(way, now):
    way(by(SAM, status="started"), by(WEEKLY, status="started", external_id="2"), by(SYSTEM, status="started", external_id="3"), now=now)
    assert list(Heartbeat.objects.order_by("run").values_list("owner", flat=True)) == ["person:12", "service:12", ""]


@pytest.mark.parametrize("other", [NAMESAKE, WEEKLY, SYSTEM])
def test_only_who_started_a_run_speaks_for_it(other, now):
    run = start_of(SAM, now)
    for act in (hear, hear_run):
        with pytest.raises(NotTheAuthor, match=f"Only the account that posted {run.ref} may speak for it; {other.name} did not"):
            act(run_id=run.pk, said={}, actor=other, now=now)
    with pytest.raises(NotTheAuthor):
        finish_run(run_id=run.pk, rest={"status": "error"}, actor=other, now=now)
    assert Heartbeat.objects.get().beats == 0


def test_an_account_that_was_renamed_goes_on_speaking_for_its_runs(now):
    run, renamed = start_of(SAM, now), replace(SAM, name="Samuel Lee")
    hear_run(run_id=run.pk, said={"completed": 3}, actor=renamed, now=now)
    assert finish_run(run_id=run.pk, rest={"status": "error"}, actor=renamed, now=now).reply["status"] == "error"


def test_a_start_from_before_ids_were_kept_is_known_by_name(now):
    run = start_of(SAM, now)
    Heartbeat.objects.update(owner="")
    hear_run(run_id=run.pk, said={}, actor=NAMESAKE, now=now)
    with pytest.raises(NotTheAuthor):
        hear_run(run_id=run.pk, said={}, actor=WEEKLY, now=now)


@ways
@pytest.mark.parametrize("other", [NAMESAKE, WEEKLY, SYSTEM])
@pytest.mark.parametrize("status", ["success", "error", "cancelled", "lost"])
def test_no_other_account_ends_a_run(way, other, status, now):
    _, refused, ended = way(by(SAM, status="started"), by(other, 0, 500, status=status), by(SAM, 1, 500, status="success"), now=now)
    begun = EvalRun.objects.get(revision=1)
    assert type(refused) is NotTheAuthor
    assert str(refused).startswith(f"Only the account that posted {begun.ref} may speak for it; {other.name} did not")
    assert f'post with "supersedes": {begun.pk}.' in str(refused)
    assert (ended.run.supersedes, EvalRun.objects.count()) == (begun, 2)


@ways
def test_no_other_account_ends_a_run_that_was_given_up(way, ada, now):
    begun = start_of(SAM, now)
    late = now + dt.timedelta(hours=1)
    assert lose_run(run_id=begun.pk, now=late)
    refused, ended = way(by(NAMESAKE, 0, 500), by(SAM, 1, 500), now=late)
    assert f"Only the account that posted {begun.ref}" in str(refused)
    assert ended.run.supersedes.status == "lost"


@ways
def test_a_run_that_was_only_told_to_be_lost_is_ended_by_who_told_it(way, now):
    _, refused, ended = way(by(SAM, status="lost"), by(WEEKLY, 0, 500), by(SAM, 0, 500), now=now)
    assert (type(refused), ended.created) == (NotTheAuthor, True)


@ways
def test_another_account_corrects_a_started_run_by_its_name(way, now):
    begun = start_of(SAM, now)
    (done,) = way(by(WEEKLY, 0, 500, supersedes=begun.pk), now=now)
    assert (done.run.supersedes, done.run.posted_by) == (begun, "service:weekly")


@pytest.mark.parametrize("status", ["started", "lost"])
def test_the_log_of_a_run_that_another_account_started_is_imported_after_it(status, ada, now):
    begun, late = start_of(SAM, now), now + dt.timedelta(hours=1)
    if status == "lost":
        assert lose_run(run_id=begun.pk, now=late)
    (done,) = import_runs(submissions=[by(WEEKLY, 0, 500).submission], actor=WEEKLY, now=late)
    stands = EvalRun.objects.get(pk=done.reply["id"])
    assert (done.result, stands.supersedes.status, stands.posted_by) == ("superseded", status, "service:weekly")


def test_a_log_that_a_start_comes_before_while_it_is_imported_supersedes_it(ada, now, monkeypatch):
    look, begun = importing._known, []

    def looked(submissions):
        found = look(submissions)
        if not begun:
            begun.append(start_of(SAM, now))
        return found

    monkeypatch.setattr(importing, "_known", looked)
    (done,) = import_runs(submissions=[by(WEEKLY, 0, 500).submission], actor=WEEKLY, now=now)
    assert (done.result, done.supersedes) == ("superseded", begun[0].pk)


POSTS = some.tuples(
    some.sampled_from([SAM, NAMESAKE, WEEKLY]), some.sampled_from(["started", "started", "lost", "error", "success"]), some.integers(0, 2)
)


def tried(way, drawn, now):
    """What each post comes to and which runs are left, without ids; all of it is undone."""
    with transaction.atomic():
        done = way(*[by(actor, solved, 500, status=status) for actor, status, solved in drawn], now=now)
        rows = EvalRun.objects.order_by("revision").values_list("revision", "status", "posted_by", "planned", "supersedes__revision")
        found = list(rows), list(Heartbeat.objects.order_by("run__revision").values_list("run__revision", "owner", "due"))
        transaction.set_rollback(True)
    return [getattr(each, "created", type(each).__name__) for each in done], found


@given(drawn=some.lists(POSTS, min_size=2, max_size=6))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_many_at_once_are_taken_and_refused_as_one_after_the_other(drawn, now):
    assert tried(together, drawn, now) == tried(singly, drawn, now) == tried(one_each, drawn, now)
