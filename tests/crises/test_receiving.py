"""Many runs at once come to the same rows as one after the other, and one that cannot be kept spoils no other."""

import datetime as dt
import json
from collections import Counter

import pytest
from django.db import IntegrityError, OperationalError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from accounts.roles import Actor, Kind, NotAllowed, Reach
from alerts.models import Alert
from alerts.outbox import NotQueued
from audit import log
from audit.models import Entry
from crises import receiving, response
from crises.models import Crisis, Receipt
from crises.receipts import Replies
from crises.receiving import FAULTS, receive_runs
from crises.response import Answer, receive_run, respond_later, unanswered, unheard
from evals.ingest import record_run
from evals.models import EvalResult, EvalRun
from evals.storing import Posted, record_runs
from evals.submissions import parse
from tests.conftest import NIGHTLY, on_postgres, run_body
from thresholds.models import Assessment, Crossing, LevelStatus
from thresholds.statistics import InvalidMeasurement

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]
EVERYTHING = (EvalRun, EvalResult, Assessment, LevelStatus, Crossing, Crisis, Alert, Receipt, Entry)


def counts():
    return [model.objects.count() for model in EVERYTHING]


def posted(*counted, **more):
    return Posted(parse(run_body(*counted, **more)), NIGHTLY)


def one_after_the_other(posts, now):
    """The oracle: the plain way for each."""
    return [alone(post, now) for post in posts]


def alone(post, now):
    try:
        return receive_run(submission=post.submission, actor=post.actor, now=now)
    except FAULTS as refusal:
        return refusal


def told(outcome):
    """What an outcome says that does not hang on ids; of the verdicts what a run alone decides."""
    if not isinstance(outcome, Answer):
        return type(outcome).__name__
    said = [
        (verdict["level"], verdict["threshold"], verdict["checkpoint"], verdict["point"], verdict["grade"])
        for verdict in outcome.reply["verdicts"]
    ]
    return outcome.created, outcome.reply["replayed"], outcome.reply["status"], outcome.reply["complete"], said


def stored():
    """Everything that is kept, without ids, in an order of its own."""
    runs = EvalRun.objects.order_by("producer", "external_id", "revision").values_list(
        *("producer", "external_id", "revision", "digest", "checkpoint__slug", "evaluation__slug", "status", "started", "completed"),
        *("complete", "planned", "scored", "posted_by", "supersedes__revision", "elicitation", "provenance", "judged", "received"),
    )
    results = EvalResult.objects.order_by("run__producer", "run__external_id", "run__revision", "metric").values_list(
        "run__external_id", "run__revision", "metric", "value", "solved", "total", "tasks", "reason"
    )
    statuses = LevelStatus.objects.order_by("checkpoint", "level").values_list(
        *("checkpoint__slug", "level__key", "state", "reading_state", "critical_ruled_out", "point", "lower", "upper", "n_eff", "taken"),
        *("episode", "illustrative", "binding"),
    )
    crossings = Crossing.objects.order_by("checkpoint", "level", "kind", "episode").values_list(
        *("checkpoint__slug", "level__key", "kind", "episode", "assessment__run__external_id", "assessment__run__revision"),
    )
    crises = Crisis.objects.order_by("model", "level").values_list("model__slug", "level__key", "state", "severity", "illustrative")
    alerts = Counter(Alert.objects.values_list("recipient__username", "event"))
    assessed = Assessment.objects.order_by("run__producer", "run__external_id", "run__revision", "level", "checkpoint").values_list(
        "run__external_id", "run__revision", "level__key", "checkpoint__slug", "reading_state", "complete", "readings"
    )
    return [list(rows) for rows in (runs, results, statuses, crossings, crises, assessed)] + [alerts, Receipt.objects.count()]


IDENTITIES = some.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"])
COUNTS = some.tuples(some.sampled_from([0, 1, 30, 60]), some.sampled_from([100, 500]))
RUNS = some.fixed_dictionaries(
    {
        "external_id": IDENTITIES,
        "counts": COUNTS,
        "checkpoint": some.sampled_from(["aurora-1", "aurora-1", "aurora-2", "nobody"]),
        "status": some.sampled_from(["success", "success", "success", "started", "error", "lost"]),
        "day": some.integers(-9, -1),
        "measured": some.sampled_from([True, True, True, False]),
        "corrects": some.booleans(),
    }
)


def history(drawn, now):
    """What is posted; a correction names the run that is the newest of its identity when this is called."""
    return [
        posted(
            *(each["counts"] if each["measured"] else ()),
            external_id=each["external_id"],
            checkpoint=each["checkpoint"],
            status="error" if each["status"] == "success" and not each["measured"] else each["status"],
            completed=(now + dt.timedelta(days=each["day"])).isoformat(),
            supersedes=newest(each["external_id"]) if each["corrects"] else None,
        )
        for each in drawn
    ]


def newest(external_id):
    return EvalRun.objects.filter(external_id=external_id).order_by("-revision").values_list("pk", flat=True).first()


def tried(way):
    """What a way comes to, and what it leaves; all of it is undone."""
    with transaction.atomic():
        outcomes = way()
        found = outcomes, stored(), log.verify(), [crossing.pk for crossing in Crossing.objects.filter(crises__isnull=True)]
        transaction.set_rollback(True)
    return found


@given(drawn=some.lists(RUNS, min_size=1, max_size=12), cut=some.integers(0, 12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_batch_leaves_the_rows_that_one_after_the_other_leaves(drawn, cut, ada, sister, now):
    parts = [part for part in (drawn[:cut], drawn[cut:]) if part]
    plain, rows, *_ = tried(lambda: [each for part in parts for each in one_after_the_other(history(part, now), now)])
    outcomes, many, broken, unheard_of = tried(lambda: [each for part in parts for each in receive_runs(posts=history(part, now), now=now)])
    assert [told(outcome) for outcome in outcomes] == [told(outcome) for outcome in plain]
    assert many == rows
    assert (broken, unheard_of) == (None, [])


def receive(*posts, now, **more):
    return receive_runs(posts=posts, now=now, **more)


def test_what_is_received_together_gets_one_entry_each_where_it_was_posted_singly(now):
    receive(posted(0, 100, external_id="1"), posted(1, 100, external_id="2"), now=now, as_one=False)
    told = Entry.objects.filter(action="evals.run.record").values_list("about", "data__digest")
    assert sorted(told) == sorted((f"run:{run.pk}", run.digest) for run in EvalRun.objects.all())
    assert log.verify() is None


def test_each_actor_of_a_batch_has_an_entry_of_its_own(now):
    other = Actor(Kind.SERVICE, "weekly", 2)
    receive(posted(0, 100, external_id="1"), Posted(posted(1, 100, external_id="2").submission, other), now=now)
    assert sorted(Entry.objects.filter(action="evals.runs.record").values_list("actor", "data__count")) == [("nightly", 1), ("weekly", 1)]
    assert sorted(EvalRun.objects.values_list("posted_by", flat=True)) == ["service:nightly", "service:weekly"]


def test_a_token_that_reaches_less_gets_less_and_spoils_nothing(now):
    elsewhere = Actor(Kind.SERVICE, "narrow", 3, reach=Reach(models=frozenset({"borealis"})))
    first = receive_run(submission=posted(0, 100, external_id="1").submission, actor=NIGHTLY, now=now)
    outcomes = receive(
        Posted(posted(0, 100, external_id="1").submission, elsewhere),
        Posted(posted(3, 100, external_id="1").submission, elsewhere),
        Posted(posted(3, 100, external_id="2").submission, elsewhere),
        posted(3, 100, external_id="3"),
        now=now,
    )
    assert [type(outcome) for outcome in outcomes] == [NotAllowed, NotAllowed, NotAllowed, Answer]
    assert sorted(EvalRun.objects.values_list("external_id", flat=True)) == ["1", "3"]
    with pytest.raises(NotAllowed):
        receive_run(submission=posted(0, 100, external_id="1").submission, actor=elsewhere, now=now)
    assert first.created


def test_a_run_by_another_door_is_answered_when_it_is_posted_in_a_batch(ada, now):
    run = record_run(submission=posted(30, 100).submission, actor=NIGHTLY, now=now).run
    (answer,) = receive(posted(30, 100), now=now)
    assert (answer.created, answer.ring, answer.reply["id"], answer.reply["alerts_queued"]) == (False, True, run.pk, 1)
    assert (unanswered(), respond_later(run_id=run.pk, now=now)) == ([], None)


@pytest.mark.parametrize("wrong", [IntegrityError("refused"), InvalidMeasurement("x", "not to be judged"), NotQueued("no")])
def test_the_one_that_cannot_be_kept_is_named_and_the_rest_is_stored(ada, now, monkeypatch, wrong):
    """Whatever has the external id 5 is refused by the database or by the judgement, alone as in company."""

    def refuse(run):
        if run.external_id == "5":
            raise wrong

    plain, together = response.compose, Replies.answer_to
    monkeypatch.setattr(Replies, "answer_to", lambda self, run, judged: refuse(run) or together(self, run, judged))
    monkeypatch.setattr(response, "compose", lambda **facts: refuse(facts["run"]) or plain(**facts))
    outcomes = receive(*(posted(30 * (number == 3), 100, external_id=str(number)) for number in range(9)), now=now)
    assert [isinstance(outcome, Answer) for outcome in outcomes] == [number != 5 for number in range(9)]
    assert outcomes[5] is wrong
    assert sorted(EvalRun.objects.values_list("external_id", flat=True)) == [str(number) for number in range(9) if number != 5]
    assert (counts()[:3], Crossing.objects.count(), Alert.objects.count(), log.verify()) == ([8, 8, 8], 1, 1, None)


@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_the_victim_of_a_deadlock_is_tried_again(now, monkeypatch, state):
    tries = []

    def lose_once(**facts):
        tries.append(facts)
        if len(tries) == 1:
            raise OperationalError("deadlock detected") from Victim(state)
        return record_runs(**facts)

    monkeypatch.setattr(receiving, "record_runs", lose_once)
    (answer,) = receive(posted(0, 100), now=now)
    assert (answer.created, len(tries), EvalRun.objects.count()) == (True, 2, 1)


class Victim(Exception):
    def __init__(self, sqlstate):
        self.sqlstate = sqlstate


def test_a_database_that_goes_away_between_two_parts_is_told_to_those_that_it_did_not_take(now, monkeypatch):
    tries = []

    def fail(**facts):
        tries.append(len(facts["posts"]))
        if len(tries) <= 3:
            raise IntegrityError("the whole is refused")
        if len(tries) > 4:
            raise OperationalError("gone")
        return record_runs(**facts)

    monkeypatch.setattr(receiving, "record_runs", fail)
    outcomes = receive(*(posted(0, 100, external_id=str(number)) for number in range(4)), now=now)
    assert [type(outcome) for outcome in outcomes] == [Answer, Answer, OperationalError, OperationalError]
    assert (tries, EvalRun.objects.count()) == ([4, 4, 4, 2, 2], 2)


def at_the_same_time(test):
    """For what only a database with many writers can show."""
    return on_postgres(pytest.mark.postgres(pytest.mark.django_db(transaction=True)(test)))


@at_the_same_time
def test_many_writers_and_batches_at_one_level_cross_each_line_once(pipeline, ada, at_once):
    """The first results of a checkpoint ever, thirty posts and ten batches of them, which reach the alert line and the critical one."""

    def write(number):
        if number % 4:
            return [pipeline.run(30 if number % 2 else 60, 100, external_id=f"single-{number}").status_code]
        bodies = [run_body(solved, 100, external_id=f"batch-{number}-{solved}") for solved in (0, 30, 60, 31, 1)]
        answer = pipeline.send("runs/batch/", bodies)
        return [answer.status_code, *(item["status"] for item in answer.json()["items"])]

    answers = at_once(write, range(40))
    assert {status for each in answers for status in each} == {201, 207}
    assert EvalRun.objects.count() == Receipt.objects.count() == Assessment.objects.count() == 80
    kinds = list(Crossing.objects.values_list("kind", "episode"))
    assert len(kinds) == len(set(kinds))
    assert ("critical", 1) in kinds
    assert (Crisis.objects.count(), Alert.objects.count(), LevelStatus.objects.get().state) == (1, len(kinds), "critical")
    assert (unheard(), log.verify()) == ([], None)


@at_the_same_time
def test_batches_that_hold_the_same_runs_in_other_orders_store_each_once(pipeline, ada, sister, at_once):
    bodies = [
        run_body(number % 40, 100, external_id=str(number), checkpoint=f"aurora-{1 + number % 2}", producer={"name": f"p{number % 3}"})
        for number in range(60)
    ]

    def write(number):
        mine = bodies[number:] + bodies[:number]
        answer = pipeline.send("runs/batch/", mine if number % 2 else mine[::-1])
        return answer.status_code, {item["reply"]["ref"] for item in answer.json()["items"]}

    answers = at_once(write, range(12))
    assert {status for status, _ in answers} == {207}
    assert len({frozenset(refs) for _, refs in answers}) == 1
    assert (EvalRun.objects.count(), Receipt.objects.count(), log.verify()) == (60, 60, None)


@at_the_same_time
def test_sixty_four_threads_with_one_identity_store_one_row_and_get_the_same_answer(pipeline, ada, at_once):
    answers = at_once(lambda _: pipeline.run(30, 100), range(64))
    assert sorted(answer.status_code for answer in answers) == [200] * 63 + [201]
    assert len({json.dumps({**answer.json(), "replayed": None}, sort_keys=True) for answer in answers}) == 1
    assert (EvalRun.objects.count(), Crossing.objects.count(), Crisis.objects.count(), Alert.objects.count()) == (1, 1, 1, 1)
    assert log.verify() is None
