import datetime as dt

import pytest
from django.db import IntegrityError

from accounts.models import User
from accounts.roles import SYSTEM
from alerts.models import Alert
from audit import log
from audit.models import Entry
from crises import response
from crises.models import Crisis, Receipt
from crises.response import receive_run, respond_later, respond_to_crossing, unanswered, unheard
from evals.ingest import ContentDiffers, record_run
from evals.models import EvalResult, EvalRun
from evals.submissions import InvalidSubmission, parse
from tests.conftest import NIGHTLY, on_postgres, run_body
from thresholds.explained import explained
from thresholds.models import Assessment, Crossing, LevelStatus
from thresholds.signdown import sign_down
from thresholds.withdrawal import withdraw_run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]
EVERYTHING = (EvalRun, EvalResult, Assessment, LevelStatus, Crossing, Crisis, Alert, Receipt)


def counts():
    return [model.objects.count() for model in EVERYTHING]


@pytest.fixture
def receive(now):
    def receive(*solved, dry_run=False, **more):
        return receive_run(submission=parse(run_body(*solved, **more)), actor=NIGHTLY, now=now, dry_run=dry_run)

    return receive


@pytest.fixture
def stored(now):
    return lambda *solved, **more: record_run(submission=parse(run_body(*solved, **more)), actor=SYSTEM, now=now).run


def test_a_crossing_is_answered_with_the_crisis_and_who_was_told(receive, ada):
    answer = receive(30, 100)
    crisis = Crisis.objects.get()
    assert (answer.created, answer.ring, answer.reply["alerts_queued"]) == (True, True, 1)
    assert answer.reply["crossings"] == [{"level": "small-1.0.uplift", "kind": "alert", "episode": 1}]
    assert answer.reply["crises"] == [{"ref": crisis.ref, "url": f"http://127.0.0.1:8000/crises/{crisis.pk}/", "opened": True}]
    assert answer.reply["id"] == EvalRun.objects.get().pk


def test_the_reply_gives_the_numbers_of_every_line(receive):
    alert, critical = receive(30, 100).reply["verdicts"]
    assert (alert["threshold"], alert["value"], alert["grade"], alert["reached"], alert["point"]) == ("alert", 0.2, "confirmed", True, 0.3)
    assert (critical["threshold"], critical["grade"], critical["reached"]) == ("critical", "ruled_out", False)
    for verdict in (alert, critical):
        assert (verdict["state_before"], verdict["state"], verdict["n_eff"], verdict["illustrative"]) == ("no_result", "alert", 100, False)
        assert verdict["lower"] < 0.3 < verdict["upper"]


def test_the_mail_of_a_crossing_says_why_in_the_words_of_the_explanation(receive, ada):
    receive(30, 100)
    assert Alert.objects.get().message["facts"][-1] == ["Why", explained(Assessment.objects.get()).paragraph]


def test_a_rehearsal_says_what_would_happen_and_keeps_nothing(receive, ada):
    entries = Entry.objects.count()
    said = receive(30, 100, dry_run=True)
    assert (counts(), Entry.objects.count(), said.created, said.ring) == ([0] * len(EVERYTHING), entries, False, False)
    done = receive(30, 100).reply
    assert (said.reply["id"], said.reply["ref"], said.reply["dry_run"], said.reply["alerts_queued"]) == (None, None, True, 1)
    assert said.reply["crises"] == [{"ref": None, "url": None, "opened": True}]
    assert {**done, "crises": said.reply["crises"], "id": None, "ref": None, "dry_run": True} == said.reply


def test_a_rehearsal_of_what_is_stored_is_answered_as_its_repeat(receive, ada):
    first = receive(30, 100)
    before = (counts(), Entry.objects.count())
    assert receive(30, 100, dry_run=True).reply == {**first.reply, "replayed": True, "dry_run": True}
    assert (counts(), Entry.objects.count()) == before


def test_a_rehearsal_names_the_live_crisis_that_would_be_joined(receive, ada):
    opened = receive(30, 100, external_id="1").reply["crises"][0]
    assert receive(60, 100, external_id="2", dry_run=True).reply["crises"] == [{**opened, "opened": False}]


def test_a_rehearsal_refuses_what_a_post_would(receive):
    receive(30, 100)
    with pytest.raises(ContentDiffers):
        receive(31, 100, dry_run=True)


@pytest.mark.parametrize(("who", "told"), [([], 0), (["ada"], 1), (["ada", "ben", "cleo"], 3)])
def test_everyone_who_is_to_be_alerted_is_queued_once(receive, request, who, told):
    for name in who:
        User.objects.filter(pk=request.getfixturevalue(name).pk).update(alerted=True)
    assert receive(30, 100).reply["alerts_queued"] == told == Alert.objects.count()


def test_with_nobody_to_tell_the_crossing_stands_and_the_silence_is_on_the_record(receive):
    receive(30, 100)
    assert (Crisis.objects.count(), Alert.objects.count()) == (1, 0)
    assert Entry.objects.filter(action="alerts.alert.nobody").count() == 1


def test_an_inactive_person_is_not_told(receive, ada):
    User.objects.update(is_active=False)
    assert receive(30, 100).reply["alerts_queued"] == 0


def test_the_same_content_again_gets_the_same_words_and_changes_nothing(receive, ada):
    first = receive(30, 100)
    before = (counts(), Entry.objects.count())
    second = receive(30, 100)
    assert (second.created, second.ring) == (False, False)
    assert second.reply == {**first.reply, "replayed": True}
    assert (counts(), Entry.objects.count()) == before


def test_a_repeat_after_the_world_changed_still_gets_the_first_words(receive, ada):
    first = receive(0, 500, external_id="1")
    receive(60, 100, external_id="2")
    assert receive(0, 500, external_id="1").reply == {**first.reply, "replayed": True}


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"external_id": "2", "checkpoint": "nobody"}, InvalidSubmission),
        ({"external_id": "2", "completed": "2999-01-01T00:00:00Z"}, InvalidSubmission),
        ({}, ContentDiffers),
    ],
)
def test_what_is_refused_leaves_no_trace(receive, ada, more, refusal):
    receive(30, 100)
    before = (counts(), Entry.objects.count())
    with pytest.raises(refusal):
        receive(60, 100, **more)
    assert (counts(), Entry.objects.count(), log.verify()) == (*before, None)


@pytest.mark.parametrize("hop", ["assess", "open_for", "outbox.queue", "messages.crossing", "Receipt.objects.create"])
def test_where_any_hop_fails_nothing_at_all_is_kept(receive, ada, monkeypatch, hop):
    def fail(**_):
        raise RuntimeError(hop)

    *owners, name = hop.split(".")
    owner = response
    for each in owners:
        owner = getattr(owner, each)
    entries = Entry.objects.count()
    with monkeypatch.context() as broken:
        broken.setattr(owner, name, fail)
        with pytest.raises(RuntimeError, match=hop):
            receive(30, 100)
    assert (counts(), Entry.objects.count()) == ([0] * len(EVERYTHING), entries)
    assert receive(30, 100).reply["alerts_queued"] == 1
    assert log.verify() is None


def test_a_post_that_lost_a_race_starts_again(receive, ada, monkeypatch):
    tries = []

    def lose_once(**facts):
        tries.append(facts)
        if len(tries) == 1:
            raise IntegrityError
        return record_run(**facts)

    monkeypatch.setattr(response, "record_run", lose_once)
    assert receive(30, 100).created
    assert (len(tries), EvalRun.objects.count()) == (2, 1)


def test_a_run_by_another_door_waits_until_it_is_answered_once(stored, ada, now):
    run = stored(30, 100)
    assert (unanswered(), Crisis.objects.count()) == ([run.pk], 0)
    reply = respond_later(run_id=run.pk, now=now)
    assert (reply["alerts_queued"], Crisis.objects.count(), unanswered()) == (1, 1, [])
    assert respond_later(run_id=run.pk, now=now) is None
    assert (Alert.objects.count(), Crossing.objects.count()) == (1, 1)


def test_a_run_by_another_door_that_is_posted_before_the_sweep_is_answered_then(stored, receive, ada, now):
    run = stored(30, 100)
    answer = receive(30, 100)
    assert (answer.created, answer.ring, answer.reply["id"], answer.reply["alerts_queued"]) == (False, True, run.pk, 1)
    assert (unanswered(), respond_later(run_id=run.pk, now=now)) == ([], None)


def test_it_does_not_matter_by_which_door_a_run_comes(stored, receive, ada, now):
    reply = respond_later(run_id=stored(30, 100, external_id="1").pk, now=now)
    told = {key: value for key, value in reply.items() if key not in {"id", "ref"}}
    for model in (Receipt, Alert):
        model.objects.all().delete()
    assert [verdict["grade"] for verdict in receive(30, 100, external_id="2").reply["verdicts"]] == [
        verdict["grade"] for verdict in told["verdicts"]
    ]


def test_an_alert_that_stands_again_without_a_run_is_heard(receive, room_of_ada, now):
    receive(30, 100, external_id="1", completed=(now - dt.timedelta(days=3)).isoformat())
    reassuring = receive(0, 500, external_id="2").reply["id"]
    sign_down(status_id=LevelStatus.objects.get().pk, reason="Ruled out.", actor=room_of_ada, now=now)
    withdraw_run(run_id=reassuring, reason="wrong weights", actor=room_of_ada, now=now)
    (crossing_id,) = unheard()
    assert respond_to_crossing(crossing_id=crossing_id, now=now) == 1
    assert (unheard(), respond_to_crossing(crossing_id=crossing_id, now=now)) == ([], 0)
    assert (Crisis.objects.get().crossings.count(), Alert.objects.count()) == (2, 2)


@pytest.fixture
def room_of_ada(ada):
    return ada.as_actor()


def test_no_crossing_is_ever_without_its_crisis_and_alerts(receive, ada):
    for number, solved in enumerate([0, 30, 60, 10, 55]):
        receive(solved, 100, external_id=str(number))
    assert unheard() == []
    assert Crossing.objects.filter(crises__isnull=True).count() == 0
    assert Alert.objects.count() == Crossing.objects.count() == 2


def at_the_same_time(test):
    """For what only a database with many writers can show."""
    return on_postgres(pytest.mark.postgres(pytest.mark.django_db(transaction=True)(test)))


@at_the_same_time
def test_one_external_id_from_sixteen_threads_is_one_row_one_201_and_the_rest_200(pipeline, ada, at_once):
    answers = at_once(lambda _: pipeline.run(30, 100), range(16))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert counts() == [1, 1, 1, 1, 1, 1, 1, 1]
    assert log.verify() is None


@at_the_same_time
def test_two_contents_under_one_id_leave_one_run_and_refuse_the_other(pipeline, ada, at_once):
    answers = at_once(lambda number: pipeline.run(30 + number % 2, 100), range(12))
    assert EvalRun.objects.count() == 1
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert sum(answer.status_code == 409 for answer in answers) == 6


@at_the_same_time
def test_two_checkpoints_that_cross_at_once_share_one_crisis(pipeline, ada, sister, at_once):
    answers = at_once(lambda number: pipeline.run(30, 100, external_id=str(number), checkpoint=f"aurora-{1 + number % 2}"), range(12))
    assert [answer.status_code for answer in answers] == [201] * 12
    assert (Crossing.objects.count(), Crisis.objects.count(), Crisis.objects.get().crossings.count()) == (2, 1, 2)
    assert Alert.objects.count() == 2


@at_the_same_time
def test_the_sweep_and_a_post_of_the_same_run_tell_it_once(pipeline, ada, stored, at_once, now):
    run = stored(30, 100)
    at_once(lambda number: pipeline.run(30, 100) if number % 2 else respond_later(run_id=run.pk, now=now), range(8))
    assert counts() == [1, 1, 1, 1, 1, 1, 1, 1]
