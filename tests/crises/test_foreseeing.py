"""What posts will ask is guessed from what came before: a right guess saves questions, a wrong one changes nothing."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.roles import SYSTEM
from crises import foreseeing, receiving
from crises.receiving import receive_runs
from database.asking import is_quick
from evals.catalogue import register_checkpoint
from evals.storing import Posted
from evals.submissions import parse
from tests.conftest import NIGHTLY, run_body
from tests.database.conftest import prepare_anew
from thresholds.models import LevelStatus

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    if not is_quick():
        pytest.skip("PostgreSQL's own way")
    prepare_anew()
    monkeypatch.setattr(foreseeing, "_came", {})


def posted(number, **more):
    return Posted(parse(run_body(1, 100, external_id=str(number), **more)), NIGHTLY)


def receive(now, *posts):
    """What each was answered, and what the database was asked."""
    with CaptureQueriesContext(connection) as captured:
        outcomes = receive_runs(posts=posts, now=now, as_one=False)
    return [outcome.reply for outcome in outcomes], [query["sql"] for query in captured.captured_queries]


def levels(reply):
    return sorted({verdict["level"] for verdict in reply["verdicts"]})


def test_nothing_is_guessed_of_names_that_never_came(now):
    assert foreseeing.foreseen([posted(1)]) == []


def test_what_came_before_is_asked_all_at_once_and_nothing_is_asked_twice(now):
    receive(now, posted(1))
    (reply,), said = receive(now, posted(2))
    assert levels(reply) == ["small-1.0.uplift"]
    asked = [sql for sql, _ in foreseeing.foreseen([posted(3)])]
    assert len(asked) >= 8
    assert [said.count(sql) for sql in asked] == [asked.count(sql) for sql in asked]


def test_a_name_beside_known_ones_is_stored_and_judged_too(now, aurora):
    receive(now, posted(1))
    register_checkpoint(model=aurora.model, fields={"slug": "aurora-new", "name": "New"}, actor=SYSTEM, now=now)
    replies, _ = receive(now, posted(2), posted(3, checkpoint="aurora-new"))
    assert [levels(reply) for reply in replies] == [["small-1.0.uplift"]] * 2


def test_lines_that_came_into_force_since_are_judged_by(now, enact):
    receive(now, posted(1))
    enact(slug="second", title="Second framework")
    (reply,), _ = receive(now, posted(2))
    assert len(levels(reply)) == 2


def stood(now, posts):
    """Where the levels stand after some posts, which are not kept, and what each was answered."""
    with transaction.atomic():
        replies, _ = receive(now, *posts)
        rows = LevelStatus.objects.order_by("checkpoint", "level")
        told = list(rows.values_list("checkpoint__slug", "state", "reading_state", "critical_ruled_out"))
        transaction.set_rollback(True)
    return told, [[(verdict["threshold"], verdict["state"]) for verdict in reply["verdicts"]] for reply in replies]


def test_what_was_asked_ahead_is_not_believed_once_a_run_before_it_was_judged_alone(now, aurora, monkeypatch):
    register_checkpoint(model=aurora.model, fields={"slug": "aurora-2", "name": "Two"}, actor=SYSTEM, now=now)
    receive(now, posted(1), posted(2, checkpoint="aurora-2"))
    lost = Posted(parse(run_body(external_id="7", status="lost")), NIGHTLY)
    found = Posted(parse(run_body(90, 100, external_id="7")), NIGHTLY)
    posts = [lost, found, posted(8), posted(9, checkpoint="aurora-2")]
    guessed = stood(now, posts)
    monkeypatch.setattr(receiving, "foreseen", lambda _: [])
    asked = stood(now, posts)
    assert guessed == asked
    assert guessed[0][0][:2] == ("aurora-1", "critical")


def test_what_was_asked_ahead_is_not_believed_after_a_correction_of_what_was_signed_down(now, aurora, ada, monkeypatch):
    register_checkpoint(model=aurora.model, fields={"slug": "aurora-2", "name": "Two"}, actor=SYSTEM, now=now)
    (first, *_), _ = receive(now, posted(1), posted(2, checkpoint="aurora-2"))
    LevelStatus.objects.filter(checkpoint=aurora).update(episode=2)
    corrected = Posted(parse(run_body(90, 100, external_id="1", supersedes=first["id"])), NIGHTLY)
    posts = [corrected, posted(8), posted(9, checkpoint="aurora-2")]
    guessed = stood(now, posts)
    monkeypatch.setattr(receiving, "foreseen", lambda _: [])
    assert guessed == stood(now, posts)
    assert guessed[0][0][:2] == ("aurora-1", "critical")


def test_an_identity_that_is_stored_already_is_found_for_all_that_was_guessed(now):
    receive(now, posted(1))
    (first,), _ = receive(now, posted(2))
    (again,), _ = receive(now, posted(2))
    assert (again["id"], again["replayed"]) == (first["id"], True)
