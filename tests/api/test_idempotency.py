import json
from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from accounts.models import ServiceAccount
from accounts.tokens import issue
from crises.models import KeptReply
from crises.replies import Key, held
from evals.models import EvalRun, FrontierModel
from fsf.api.idempotency import KeyInvalid, read_key
from gates.models import GateDecision
from tests.api.conftest import nothing_stored, problem, writes_to
from tests.conftest import on_postgres, run_body

MODEL = {"slug": "m", "name": "M", "developer": "Northwind"}


def send(pipeline, path, body, key='"k1"', **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body)
    about = {**pipeline._headers(), "idempotency-key": key, **headers}
    return pipeline.client.post(f"/api/v1/{path}", raw, content_type="application/json", headers=about)


def same(first, second):
    """Whether the second is the first one's answer again."""
    assert (second.status_code, second.content, second.get("Location")) == (first.status_code, first.content, first.get("Location"))
    assert second["Content-Type"] == first["Content-Type"]
    assert ("Idempotent-Replayed" in first, second["Idempotent-Replayed"]) == (False, "true")
    return True


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('"a"', "a"),
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"a b; c,d"', "a b; c,d"),
        (r'"a\"b\\c"', r'a"b\c'),
        (' "a" ', "a"),
        ("8e03978e40d5", "8e03978e40d5"),
        ('"' + "x" * 255 + '"', "x" * 255),
    ],
)
def test_a_key_is_a_text_in_quotes_or_a_bare_token(text, key):
    assert read_key(text) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        '""',
        '"',
        '"a',
        'a"',
        '"a"b"',
        r'"a\b"',
        '"ü"',
        '"a\tb"',
        '"a\x7f"',
        '"a", "b"',
        "a, b",
        "a b",
        '"a";p=1',
        "x" * 256,
        "(a)",
        "a,",
    ],
)
def test_what_is_no_key_is_refused(text):
    with pytest.raises(KeyInvalid, match="1 to 255 printable"):
        read_key(text)


@pytest.mark.django_db
def test_a_malformed_key_is_a_problem_and_nothing_is_stored(pipeline, small, aurora):
    for key in ('"', "a b", "ü", '"' + "x" * 256 + '"'):
        with nothing_stored():
            problem(send(pipeline, "runs/", run_body(3, 12), key), 400, "idempotency_key_invalid")


@pytest.mark.django_db
@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("runs/", run_body(3, 12)),
        ("models/", MODEL),
        ("checkpoints/", {"slug": "aurora-2", "name": "Aurora 2", "model": "aurora"}),
        ("gate/", {"checkpoint": "aurora-1", "stage": "external"}),
        (
            "determinations/",
            {"checkpoint": "aurora-1", "level": "small-1.0.uplift", "status": "below", "stated": "2025-11-02", "source": "s"},
        ),
    ],
)
def test_the_same_request_is_done_once_and_answered_alike(pipeline, ada, path, body):
    first = send(pipeline, path, body)
    assert first.status_code == 201
    with nothing_stored():
        assert same(first, send(pipeline, path, body))
        assert same(first, send(pipeline, path, body, "k1"))
    kept = KeptReply.objects.get()
    assert (kept.owner, kept.key, kept.status) == (f"service:{pipeline.account.pk}", "k1", 201)


@pytest.mark.django_db
def test_without_a_key_everything_is_as_ever(pipeline, small, aurora):
    answers = [pipeline.run(3, 12) for _ in range(2)]
    assert [(answer.status_code, answer.json()["replayed"]) for answer in answers] == [(201, False), (200, True)]
    assert [pipeline.send("gate/", {"checkpoint": "aurora-1", "stage": "external"}).status_code for _ in range(2)] == [201, 201]
    assert (GateDecision.objects.count(), KeptReply.objects.count()) == (2, 0)


@pytest.mark.django_db
def test_the_key_of_another_body_or_address_is_refused(pipeline, small, aurora):
    assert send(pipeline, "runs/", run_body(3, 12)).status_code == 201
    with nothing_stored():
        problem(send(pipeline, "runs/", run_body(4, 12)), 422, "idempotency_key_reused")
        problem(send(pipeline, "runs/", json.dumps(run_body(3, 12)).encode() + b" "), 422, "idempotency_key_reused")
        problem(send(pipeline, "runs/?dry_run=true", run_body(3, 12)), 422, "idempotency_key_reused")
        problem(send(pipeline, "models/", run_body(3, 12)), 422, "idempotency_key_reused")
    assert send(pipeline, "runs/", run_body(4, 12, external_id="2"), '"k2"').status_code == 201


@pytest.mark.django_db
def test_a_key_belongs_to_the_owner_of_the_token_not_to_the_token(pipeline, pipeline_with, now):
    first = send(pipeline, "models/", MODEL)
    assert same(first, send(pipeline_with("catalogue:write"), "models/", MODEL))
    other = pipeline_with()
    other.account = ServiceAccount.objects.create(name="weekly", created=now)
    other.token, other.text = issue(account=other.account, scopes=["catalogue:write"], now=now)
    assert send(other, "models/", {**MODEL, "slug": "n"}).status_code == 201
    assert {row.owner for row in KeptReply.objects.all()} == {f"service:{pipeline.account.pk}", f"service:{other.account.pk}"}


@pytest.mark.django_db
def test_a_token_without_the_scope_is_given_no_kept_answer(pipeline, pipeline_with):
    send(pipeline, "models/", MODEL)
    problem(send(pipeline_with("read"), "models/", MODEL), 403, "not_allowed")


@pytest.mark.django_db
def test_a_refusal_keeps_no_key(pipeline, small, aurora):
    with nothing_stored():
        problem(send(pipeline, "runs/", run_body(3, 12, checkpoint="aurora-9")), 400, "invalid")
        problem(send(pipeline, "models/", {"slug": "m"}), 400, "invalid")
    assert send(pipeline, "runs/", run_body(3, 12)).status_code == 201


@pytest.mark.django_db
@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize(("path", "body", "table"), [("models/", MODEL, "audit_entry"), ("runs/", run_body(3, 12), "crises_receipt")])
@pytest.mark.parametrize("status", [503, 500])
def test_a_server_error_is_never_replayed(pipeline, path, body, table, status):
    fault = OperationalError("full") if status == 503 else ArithmeticError("ours")
    with nothing_stored(), failing(table, fault):
        assert send(pipeline, path, body).status_code == status
    assert send(pipeline, path, body).status_code == 201


def failing(table, fault):
    def fail(execute, sql, params, many, context):
        if writes_to(sql, table):
            raise fault
        return execute(sql, params, many, context)

    return connection.execute_wrapper(fail)


@pytest.mark.django_db(transaction=True)
def test_where_the_reply_cannot_be_kept_neither_is_the_work(pipeline):
    with nothing_stored(), failing("crises_keptreply", OperationalError("full")):
        answer = send(pipeline, "models/", MODEL)
        problem(answer, 503, "unavailable")
    assert answer["Retry-After"] == "5"
    assert send(pipeline, "models/", MODEL).status_code == 201
    assert FrontierModel.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_run_whose_reply_could_not_be_kept_is_found_by_its_identity(pipeline, small, aurora):
    with failing("crises_keptreply", OperationalError("full")):
        problem(send(pipeline, "runs/", run_body(3, 12)), 503, "unavailable")
    again = send(pipeline, "runs/", run_body(3, 12))
    assert (again.status_code, again.json()["replayed"], EvalRun.objects.count()) == (200, True, 1)
    assert same(again, send(pipeline, "runs/", run_body(3, 12)))


@pytest.mark.django_db(transaction=True)
def test_while_the_first_is_worked_on_a_repeat_is_told_to_wait(pipeline, small, aurora):
    with held(Key(f"service:{pipeline.account.pk}", "k1")), nothing_stored():
        for path in ("runs/", "models/"):
            answer = send(pipeline, path, run_body(3, 12))
            problem(answer, 409, "idempotency_in_flight")
            assert answer["Retry-After"] == "1"
    assert send(pipeline, "runs/", run_body(3, 12)).status_code == 201


@on_postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("path", "body"), [("runs/", run_body(3, 12)), ("gate/", {"checkpoint": "aurora-1", "stage": "external"})])
@pytest.mark.usefixtures("small", "aurora")
def test_of_many_at_once_with_one_key_one_is_done(pipeline, at_once, path, body):
    answers = at_once(lambda _: send(pipeline, path, body), range(16))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert sum(answer.status_code == 201 and "Idempotent-Replayed" not in answer for answer in answers) == 1
    assert (EvalRun.objects.count() + GateDecision.objects.count(), KeptReply.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_a_body_beyond_the_limit_is_not_read_to_its_end(pipeline):
    with nothing_stored():
        problem(send(pipeline, "models/", b" " * 1_048_577), 413, "too_large")


@pytest.mark.django_db
def test_a_kept_answer_is_for_good(pipeline):
    first = send(pipeline, "models/", MODEL)
    KeptReply.objects.update(at=KeptReply.objects.get().at - timedelta(days=3650))
    assert same(first, send(pipeline, "models/", MODEL))


@pytest.mark.django_db
def test_a_question_needs_no_key(pipeline):
    answer = pipeline.client.get("/api/v1/models/", headers={**pipeline._headers(), "idempotency-key": '"'})
    assert (answer.status_code, KeptReply.objects.count()) == (200, 0)
