import datetime as dt
import json

import pytest

from audit.models import Entry
from tests.api.conftest import faults, nothing_stored, problem
from thresholds.models import Determination

pytestmark = pytest.mark.django_db
LEFT_OUT = object()
BODY = {
    "checkpoint": "aurora-1",
    "level": "small-1.0.uplift",
    "status": "below",
    "stated": "2025-11-02",
    "source": "Aurora 1 model card, section 4",
}


def test_what_the_lab_states_is_recorded_beside_the_reading(pipeline, small, aurora):
    pipeline.run(3, 12)
    answer = pipeline.send("determinations/", BODY)
    assert (answer.status_code, answer.json()) == (201, {**BODY, "note": ""})
    (status,) = pipeline.get("statuses/").json()["results"]
    assert (status["state"], status["reported"], status["reported_on"], status["differs"]) == ("alert", "below", "2025-11-02", True)
    entry = Entry.objects.order_by("seq").last()
    assert (entry.action, entry.actor, entry.data["source"]) == ("thresholds.determination.record", "nightly", BODY["source"])
    assert Determination.objects.get().recorded_by == "service:nightly"


def test_the_same_again_is_answered_200_and_changes_nothing(pipeline, small, aurora):
    first = pipeline.send("determinations/", BODY)
    with nothing_stored():
        again = pipeline.send("determinations/", BODY)
    assert (again.status_code, again.json()) == (200, first.json())


def test_the_newest_statement_is_shown_whatever_comes_last(pipeline, small, aurora):
    for status, stated in (("alert", "2025-11-03"), ("below", "2025-11-02")):
        assert pipeline.send("determinations/", {**BODY, "status": status, "stated": stated}).status_code == 201
    assert pipeline.get("statuses/").json()["results"][0]["reported"] == "alert"


@pytest.mark.parametrize("status", Determination.STATUSES)
def test_every_status_in_use_is_taken(pipeline, small, aurora, status):
    assert pipeline.send("determinations/", {**BODY, "status": status}).status_code == 201


@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"checkpoint": "aurora-9"}, "/checkpoint", "does_not_exist"),
        ({"checkpoint": LEFT_OUT}, "/checkpoint", "required"),
        ({"checkpoint": None}, "/checkpoint", "null"),
        ({"checkpoint": {"slug": "aurora-1"}}, "/checkpoint", "does_not_exist"),
        ({"level": "uplift"}, "/level", "does_not_exist"),
        ({"level": ["small-1.0.uplift"]}, "/level", "does_not_exist"),
        ({"status": "fine"}, "/status", "invalid_choice"),
        ({"status": ""}, "/status", "invalid_choice"),
        ({"status": ["below"]}, "/status", "invalid_choice"),
        ({"stated": "today"}, "/stated", "invalid"),
        ({"stated": 20261102}, "/stated", "invalid"),
        ({"stated": "2025-02-30"}, "/stated", "invalid"),
        ({"stated": "2025-11-02T10:00:00Z"}, "/stated", "invalid"),
        ({"stated": None}, "/stated", "null"),
        ({"source": ""}, "/source", "blank"),
        ({"source": "  "}, "/source", "blank"),
        ({"source": LEFT_OUT}, "/source", "required"),
        ({"note": None}, "/note", "null"),
        ({"note": ["x"]}, "/note", "invalid"),
        ({"sauce": "x"}, "/sauce", "unknown_field"),
    ],
)
def test_a_bad_statement_is_refused_where_it_is_wrong_and_nothing_is_stored(pipeline, changes, pointer, code):
    body = {name: value for name, value in {**BODY, **changes}.items() if value is not LEFT_OUT}
    with nothing_stored():
        assert faults(pipeline.send("determinations/", body)) == [(pointer, code)]


def test_a_statement_of_a_day_to_come_is_refused(pipeline, small, aurora, now):
    for stated in (now.date() + dt.timedelta(days=3), dt.date.max):
        with nothing_stored():
            body = problem(pipeline.send("determinations/", {**BODY, "stated": stated.isoformat()}), 422, "refused")
        assert "lies in the future" in body["detail"]


@pytest.mark.parametrize("raw", ["", "[]", "null", json.dumps([BODY])])
def test_what_is_no_statement_at_all_is_refused(pipeline, small, aurora, raw):
    with nothing_stored():
        assert {pointer for pointer, _ in faults(pipeline.send("determinations/", raw))} <= {"", *(f"/{name}" for name in BODY)}
