from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.urls import get_resolver

from accounts.roles import Refused
from fsf.api.problems import CODES, KNOWN
from tests.api.conftest import OURS, nothing_stored, problem, writes_to
from tests.conftest import run_body

pytestmark = pytest.mark.django_db
LISTS = "GET, HEAD, OPTIONS"
BOTH = "GET, POST, HEAD, OPTIONS"
METHODS = {
    "runs/": BOTH,
    "runs/1/": LISTS,
    "runs/batch/": "POST, OPTIONS",
    "runs/1/heartbeat/": "POST, OPTIONS",
    "runs/1/finish/": "POST, OPTIONS",
    "imports/": "POST, OPTIONS",
    "models/": BOTH,
    "checkpoints/": BOTH,
    "checkpoints/aurora-1/": LISTS,
    "evaluations/": BOTH,
    "evaluations/ctf@1/": LISTS,
    "frameworks/": LISTS,
    "frameworks/small-1.0/": LISTS,
    "frameworks/backtest/": "POST, OPTIONS",
    "frameworks/small-1.0/backtest/": LISTS,
    "equivalences/": LISTS,
    "levels/": LISTS,
    "levels/small-1.0.uplift/": LISTS,
    "statuses/": LISTS,
    "assessments/": LISTS,
    "assessments/1/": LISTS,
    "coverage/": LISTS,
    "forecasts/": LISTS,
    "crises/": LISTS,
    "crises/1/": LISTS,
    "determinations/": "POST, OPTIONS",
    "gate/": BOTH,
    "tokens/": BOTH,
    "tokens/self/": LISTS,
    "tokens/00000000/rotate/": "POST, OPTIONS",
    "tokens/00000000/revoke/": "POST, OPTIONS",
    "problems/": LISTS,
    "problems/invalid/": LISTS,
    "schema/": LISTS,
    "docs/": LISTS,
}


def call(pipeline, method, path, body=b"", **headers):
    about = {"content_type": "application/json", "headers": {**pipeline._headers(), **headers}}
    return pipeline.client.generic(method, f"/api/v1/{path}", body, **about)


def test_every_mounted_address_is_tested_here():
    (api,) = (each for each in get_resolver().url_patterns if str(each.pattern) == "api/v1/")
    assert len(api.url_patterns) == len(METHODS)


@pytest.mark.parametrize(("path", "allowed"), METHODS.items())
def test_another_method_is_refused_with_those_that_are_allowed(pipeline, path, allowed):
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE"} - set(allowed.split(", ")):
        with nothing_stored():
            answer = call(pipeline, method, path, b"{}")
        problem(answer, 405, "method_not_allowed")
        assert (answer["Allow"], method in answer.json()["detail"]) == (allowed, True)


@pytest.mark.parametrize(("path", "allowed"), METHODS.items())
def test_what_an_address_takes_can_be_asked(pipeline, path, allowed):
    with nothing_stored():
        answer = call(pipeline, "OPTIONS", path)
    assert (answer.status_code, answer["Allow"]) == (200, allowed)


@pytest.mark.parametrize("path", [path for path, allowed in METHODS.items() if "HEAD" in allowed])
def test_a_head_is_answered_as_a_get_without_its_body(pipeline, path):
    with nothing_stored():
        got, head = call(pipeline, "GET", path), call(pipeline, "HEAD", path)
    assert (head.status_code, head["Content-Type"], head.content) == (got.status_code, got["Content-Type"], b"")


@pytest.mark.parametrize(
    "path", ["", "none/", "runs", "runs//", "runs/1", "runs/one/", "../runs/", "RUNS/", "gate/x/", "%F0%9F%98%80/", "%ff/"]
)
def test_an_unknown_address_is_not_found(pipeline, path):
    for method in ("GET", "POST", "OPTIONS"):
        body = problem(call(pipeline, method, path, b"{}"), 404, "not_found")
        assert body["detail"].startswith("There is nothing at /api/")


@pytest.mark.parametrize(
    "path", ["runs/%00/", "checkpoints/%00/", "checkpoints/a%00b/", "runs/?checkpoint=%00", "gate/?stage=a%00", "runs/?%00=1"]
)
def test_a_nul_in_the_address_is_refused(pipeline, path):
    problem(pipeline.client.get(f"/api/v1/{path}", headers=pipeline._headers()), 400, "bad_address")


@pytest.mark.parametrize("host", ["evil.example.org", "a b", "testserver:x", "[::1", "test_server..", "testserver@evil"])
def test_a_host_name_that_is_not_ours_is_refused(pipeline, host):
    with nothing_stored():
        answer = call(pipeline, "POST", "runs/", b"{}", host=host)
    problem(answer, 400, "bad_address")


@pytest.mark.parametrize("path", METHODS)
def test_who_accepts_no_json_is_told(pipeline, path):
    for accept in ("image/png", "application/xml", ";;;", "json"):
        with nothing_stored():
            answer = call(pipeline, "POST" if path == "determinations/" else "GET", path, b"{}", accept=accept)
        problem(answer, 406, "not_acceptable")


@pytest.mark.parametrize(
    "accept", ["*/*", "application/*", "application/json", "text/html, application/json;q=0.1", "application/json;q=x"]
)
def test_who_accepts_json_among_others_gets_json(pipeline, accept):
    answer = call(pipeline, "GET", "runs/", accept=accept)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_every_code_is_explained_to_everyone(client):
    listed = client.get("/api/v1/problems/").json()
    assert [(code["code"], code["status"]) for code in listed] == [(code, about[0]) for code, about in CODES.items()]
    assert all(code["title"] and code["detail"] for code in listed)


@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize(
    ("fault", "said"),
    [(OperationalError("the disk is full"), (503, "unavailable", "5")), (ArithmeticError("a fault of ours"), (500, "unexpected", None))],
)
@pytest.mark.parametrize("last", ["evals_evalrun", "crises_receipt", "audit_entry"])
def test_whatever_fails_on_the_way_nothing_is_stored_and_nothing_is_given_away(pipeline, fault, said, last):
    def fail(execute, sql, params, many, context):
        if writes_to(sql, last):
            raise fault
        return execute(sql, params, many, context)

    with nothing_stored(), connection.execute_wrapper(fail):
        answer = pipeline.send("runs/", run_body(3, 12))
    body = problem(answer, *said[:2])
    assert answer.get("Retry-After") == said[2]
    assert str(fault) not in body["detail"]
    assert pipeline.run(3, 12).status_code == 201


def test_every_code_has_a_page_of_its_own_for_programs_and_for_browsers(client):
    for code, (status, title, what_to_do) in CODES.items():
        where = f"/api/v1/problems/{code}/"
        found = client.get(where).json()
        assert found == {"code": code, "status": status, "title": title, "detail": what_to_do, "type": f"{settings.SITE_URL}{where}"}
        page = client.get(where, headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert f"<code>{code}</code>" in page.content.decode()
    whole = client.get("/api/v1/problems/", headers={"accept": "text/html"}).content.decode()
    assert all(f'id="{code}"' in whole for code in CODES)


def test_there_is_no_page_of_a_code_that_there_is_not(client):
    for accept in ("application/json", "text/html"):
        problem(client.get("/api/v1/problems/none/", headers={"accept": accept}), 404, "not_found")


def kinds_of(kind):
    return [kind, *(deeper for each in kind.__subclasses__() for deeper in kinds_of(each))]


def test_every_refusal_there_is_has_a_code():
    ours = [*OURS, "fsf"]
    for module in [each for app in ours for each in (Path(settings.BASE_DIR) / app).rglob("*.py") if "(Refused)" in each.read_text()]:
        import_module(".".join(module.relative_to(settings.BASE_DIR).with_suffix("").parts))
    found = kinds_of(Refused)
    assert len(found) > 10
    for kind in found:
        code = next(code for known, code in KNOWN if issubclass(kind, known))
        assert 400 <= CODES[code][0] < 500, kind


def test_every_code_is_used_and_every_use_is_a_code():
    mapped = {code for _, code in KNOWN}
    assert mapped <= CODES.keys()
    assert CODES.keys() - mapped - {"unexpected", "bad_address"} - set(BY_HAND) == set()


BY_HAND = ("import_refused",)  # a report of its own says it
