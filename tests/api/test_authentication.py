import base64
import datetime as dt

import pytest
from django.test import Client

from accounts.tokens import SCOPES, _checksum, issue, revoke
from tests.api.conftest import HANDLER, nothing_stored, problem
from tests.conftest import run_body

pytestmark = pytest.mark.django_db
NEEDS = {
    ("GET", "runs/"): "read",
    ("POST", "runs/"): "runs:write",
    ("GET", "runs/1/"): "read",
    ("GET", "models/"): "read",
    ("POST", "models/"): "catalogue:write",
    ("GET", "checkpoints/"): "read",
    ("POST", "checkpoints/"): "catalogue:write",
    ("GET", "checkpoints/aurora-1/"): "read",
    ("GET", "evaluations/"): "read",
    ("POST", "evaluations/"): "catalogue:write",
    ("GET", "frameworks/"): "read",
    ("GET", "levels/"): "read",
    ("GET", "levels/small-1.0.uplift/"): "read",
    ("GET", "statuses/"): "read",
    ("GET", "forecasts/"): "read",
    ("GET", "crises/"): "read",
    ("GET", "crises/1/"): "read",
    ("GET", "assessments/"): "read",
    ("GET", "coverage/"): "read",
    ("GET", "equivalences/"): "read",
    ("POST", "determinations/"): "determinations:write",
    ("GET", "tokens/"): "tokens:write",
    ("POST", "tokens/"): "tokens:write",
    ("POST", "tokens/00000000/rotate/"): "tokens:write",
    ("GET", "gate/"): "gate:read",
    ("POST", "gate/"): "gate:read",
}


def ask(header, method="GET", path="runs/", body=b"{}"):
    client = Client(raise_request_exception=False)
    client.handler = HANDLER
    headers = {} if header is None else {"authorization": header}
    return client.generic(method, f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def with_checksum(body):
    return f"Bearer {body}{_checksum(body)}"


def not_let_in(answer):
    body = problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] in {'Bearer realm="fsf"', 'Bearer realm="fsf", error="invalid_token"'}
    return body["detail"]


@pytest.mark.parametrize(("method", "path"), NEEDS)
def test_without_a_token_nothing_is_told_and_nothing_is_done(db, method, path):
    with nothing_stored():
        not_let_in(ask(None, method, path))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer fsf_dev",
        "Bearer fsf_dev_0d71c69b_secretsecret",
        "Token {text}",
        "Basic {basic}",
        "{text}",
        "Bearer {text}x",
        "Bearer {text} x",
        "Bearer {upper}",
        "Bearer {cut}",
        "Bearer x{text}",
        "Bearer {text},{text}",
        "Bearer\t{text}",
        "Bearer ü€\udc80",
        "Bearer " + "x" * 5000,
    ],
)
def test_what_is_no_token_lets_nobody_in(pipeline, header):
    text = pipeline.text
    forms = {"text": text, "upper": text.upper(), "cut": text[:-1], "basic": base64.b64encode(f"{text}:".encode()).decode()}
    with nothing_stored():
        not_let_in(ask(header.format(**forms).encode("utf-8", "replace").decode("latin-1"), "POST", "runs/"))


def test_a_mistyped_token_is_told_apart_from_an_unknown_one(pipeline):
    body, key = pipeline.text[:-7], pipeline.token.key
    other = "0" * 8 if key != "0" * 8 else "1" * 8
    swapped = pipeline.text[:-1] + ("a" if pipeline.text[-1] != "a" else "b")
    assert "mistyped" in not_let_in(ask(f"Bearer {swapped}"))
    assert "mistyped" in not_let_in(ask(f"Bearer {pipeline.text.replace(key, other)}"))
    unknown = [
        with_checksum(body.replace(key, other)),
        with_checksum(body[:-1] + ("x" if body[-1] != "x" else "y")),
        with_checksum(body + "x"),
    ]
    assert {not_let_in(ask(header)) for header in unknown} == {"The token is not known."}


@pytest.mark.parametrize(
    "body", ["fsf_dev__", "fsf_dev_%00_x", "fsf_dev_" + "a" * 4000 + "_x", "fsf_dev_' OR 1=1_x", "____", "fsf_dev_٣_x", "fsf_a_b_c_d"]
)
def test_odd_tokens_with_a_sound_checksum_let_nobody_in(db, body):
    not_let_in(ask(with_checksum(body).encode().decode("latin-1")))


def test_a_token_that_expired_lets_nobody_in_any_more(pipeline, now):
    _, text = issue(account=pipeline.account, scopes=SCOPES, now=now - dt.timedelta(days=91), days=90)
    with nothing_stored():
        assert "expired on" in not_let_in(ask(f"Bearer {text}", "POST", "runs/"))


def test_a_revoked_token_lets_nobody_in_any_more(pipeline, now):
    assert ask(f"Bearer {pipeline.text}").status_code == 200
    revoke(token=pipeline.token, now=now)
    assert "revoked" in not_let_in(ask(f"Bearer {pipeline.text}"))


def test_no_token_of_an_account_that_is_switched_off_lets_anybody_in(pipeline):
    pipeline.account.active = False
    pipeline.account.save()
    with nothing_stored():
        not_let_in(ask(f"Bearer {pipeline.text}", "POST", "runs/"))


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer   {}", "Bearer {} "])
def test_the_scheme_is_read_in_either_case(pipeline, form):
    assert ask(form.format(pipeline.text)).status_code == 200


@pytest.mark.parametrize(("method", "path", "scope"), [(*address, scope) for address, scope in NEEDS.items()])
def test_a_token_does_only_what_its_scopes_allow(pipeline_with, method, path, scope):
    others = pipeline_with(*(other for other in SCOPES if other != scope))
    with nothing_stored():
        refused = ask(f"Bearer {others.text}", method, path)
    body = problem(refused, 403, "not_allowed")
    assert f"has no scope '{scope}'" in body["detail"]
    assert others.text not in body["detail"]
    assert ask(f"Bearer {pipeline_with(scope).text}", method, path).status_code in {200, 400, 404}


@pytest.mark.parametrize(
    ("path", "scope"), [(path, scope) for (method, path), scope in NEEDS.items() if method == "GET" and path != "gate/"]
)
def test_looking_needs_the_scope_of_a_get(pipeline_with, path, scope):
    right, wrong = pipeline_with(scope), pipeline_with("runs:write")
    for method in ("HEAD", "OPTIONS"):
        assert ask(f"Bearer {right.text}", method, path).status_code in {200, 404}
        assert ask(f"Bearer {wrong.text}", method, path).status_code == 403


def test_a_cookie_is_no_token(ada, small, aurora):
    client = Client(raise_request_exception=False)
    client.force_login(ada)
    with nothing_stored():
        not_let_in(client.get("/api/v1/runs/"))
        not_let_in(client.post("/api/v1/runs/", run_body(3, 12), content_type="application/json"))


def test_a_token_in_the_address_is_no_token(pipeline):
    not_let_in(ask(None, "GET", f"runs/?token={pipeline.text}&access_token={pipeline.text}"))


@pytest.mark.parametrize("path", ["problems/", "schema/", "docs/"])
def test_the_documentation_is_open_even_to_a_bad_token(db, path):
    assert {ask(header, "GET", path).status_code for header in (None, "Bearer wrong", "Basic x")} == {200}
