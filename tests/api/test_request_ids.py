import logging

import pytest

from fsf.api.request_ids import WithRequestId, current
from tests.api.conftest import problem

pytestmark = pytest.mark.django_db


def ask(pipeline, path, number):
    return pipeline.client.get(f"/api/v1/{path}", headers={**pipeline._headers(), "x-request-id": number})


@pytest.mark.parametrize("number", ["a", "01JD-x_y.z:1/2+3=4@5", "x" * 128, "8e03978e-40d5-43dd-bc93-6894a57f9324"])
def test_the_id_of_the_caller_is_named_in_every_answer(pipeline, number):
    for path in ("models/", "runs/9/", "none/"):
        assert ask(pipeline, path, number)["X-Request-ID"] == number
    assert problem(ask(pipeline, "runs/9/", number), 404, "not_found")["request_id"] == number


@pytest.mark.parametrize("number", ["", " ", "a b", "ü", "a\tb", "x" * 129, "<b>", "-a", 'a"', "a;b"])
def test_another_one_is_made_where_that_is_none(pipeline, number):
    answers = [ask(pipeline, "runs/9/", number) for _ in range(2)]
    made = {answer["X-Request-ID"] for answer in answers}
    assert len(made) == 2
    assert all(len(each) == 32 and each.isalnum() for each in made)
    assert answers[0].json()["request_id"] == answers[0]["X-Request-ID"]


def test_what_is_no_api_path_has_none(client):
    assert "X-Request-ID" not in client.get("/sign-in/")


def test_a_line_of_the_log_names_the_request_it_was_written_for(pipeline, monkeypatch):
    lines = []

    class Kept(logging.Handler):
        def emit(self, record):
            lines.append(record.request_id)

    handler = Kept()
    handler.addFilter(WithRequestId())
    logging.getLogger("fsf.paths").addHandler(handler)
    monkeypatch.setattr("fsf.api.catalogue.Models.get", lambda *_: 1 / 0)
    answer = ask(pipeline, "models/", "mine")
    logging.getLogger("fsf.paths").removeHandler(handler)
    assert problem(answer, 500, "unexpected")["request_id"] == "mine"
    assert (lines, current()) == (["mine"], "")


def test_outside_of_a_request_a_line_has_a_dash():
    record = logging.makeLogRecord({})
    assert (WithRequestId().filter(record), record.request_id) == (True, "-")
