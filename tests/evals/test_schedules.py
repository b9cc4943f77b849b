"""When a schedule runs, what it starts and what it takes back: plain rules, no database."""

import datetime as dt

import pytest

from evals.schedules import Ending, OtherSubject, Request, compose_body, external_id, fill_command, next_slot

NINE = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
ASKED = Request(
    "schedule-4-20260302T0900Z", "gemini-2.5-pro", "toy@1", "2026-03-02T09:00:01+00:00", "2026-03-02T09:00:09+00:00", {"job": "7"}
)


@pytest.mark.parametrize(
    ("late", "answered", "next_due"),
    [(0, 0, 10), (9, 0, 10), (10, 10, 20), (11, 10, 20), (61, 60, 70), (60 * 24 * 365, 60 * 24 * 365, 60 * 24 * 365 + 10)],
)
def test_the_newest_missed_slot_is_answered_and_the_next_lies_ahead(late, answered, next_due):
    slot = next_slot(NINE, 10, NINE + late * MINUTE)
    assert (slot.answered, slot.next_due) == (NINE + answered * MINUTE, NINE + next_due * MINUTE)


def test_nothing_is_answered_before_it_is_due():
    with pytest.raises(ValueError, match="Nothing is due before 2026-03-02T09:00"):
        next_slot(NINE, 10, NINE - dt.timedelta(microseconds=1))


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(ValueError, match="after 1 minute or more, not after 0"):
        next_slot(NINE, 0, NINE)


def test_a_slot_has_one_name_in_every_time_zone():
    elsewhere = NINE.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30)))
    assert external_id(4, NINE) == external_id(4, elsewhere) == "schedule-4-20260302T0900Z"
    assert external_id(4, NINE + dt.timedelta(seconds=7)) == "schedule-4-20260302T090007Z"


def test_only_known_placeholders_are_filled_in_and_braces_of_json_stay():
    command = ["{python}", "--about={checkpoint}", '{"python": 1}', "{unknown}"]
    assert fill_command(command, {"python": "python3", "checkpoint": "c"}) == ["python3", "--about=c", '{"python": 1}', "{unknown}"]


@pytest.mark.parametrize("command", [[], "python run.py", ["python", 3], None])
def test_a_command_that_is_no_list_of_arguments_is_refused(command):
    with pytest.raises(ValueError, match="list of arguments"):
        fill_command(command, {})


def test_what_the_program_leaves_out_is_filled_in():
    body = compose_body(ASKED, {"measurements": [1], "provenance": {"seed": 7}}, Ending("success"))
    assert body == {
        "producer": {"name": "fsf-schedule"},
        "external_id": "schedule-4-20260302T0900Z",
        "checkpoint": "gemini-2.5-pro",
        "evaluation": "toy@1",
        "started": "2026-03-02T09:00:01+00:00",
        "completed": "2026-03-02T09:00:09+00:00",
        "measurements": [1],
        "provenance": {"seed": 7, "job": "7"},
    }


def test_a_program_that_ended_has_not_only_started():
    body = compose_body(ASKED, {"status": "started"}, Ending("success"))
    assert (body["status"], body["provenance"]["reason"]) == ("error", "the program ended and reported only that it had started")


def test_a_program_that_did_not_end_well_cannot_report_success():
    body = compose_body(ASKED, {"status": "success"}, Ending("cancelled", "stopped at its deadline"))
    assert (body["status"], body["provenance"]["reason"]) == ("cancelled", "stopped at its deadline")


def test_a_report_on_another_checkpoint_is_refused():
    with pytest.raises(OtherSubject, match=r"on the checkpoint 'gpt-5', the schedule asks for 'gemini-2\.5-pro'"):
        compose_body(ASKED, {"checkpoint": "gpt-5"}, Ending("success"))
