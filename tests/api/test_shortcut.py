"""The short way of a plain post: the same answers as the ordinary way, which takes over wherever the short one may not be taken."""

import io
import json
import re
from collections import Counter

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.utils import timezone

from accounts import tokens
from accounts.models import ApiToken, ServiceAccount
from accounts.proven import TokenChanged, prove_from_memory
from accounts.roles import SYSTEM
from accounts.tokens import issue
from audit.log import verify
from crises.receiving import receive_runs
from database.asking import is_quick
from evals.catalogue import register_checkpoint, register_model
from evals.models import EvalRun
from evals.storing import Posted
from evals.submissions import parse
from fsf.shortcut import PATH, Shortcut
from tests.api.conftest import nothing_stored
from tests.conftest import run_body

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def postgresql(db):
    if not is_quick():
        pytest.skip("PostgreSQL's own way")


@pytest.fixture
def account(now):
    return ServiceAccount.objects.create(name="nightly", created=now)


def known(account, now, scopes=("runs:write", "read")):
    """A token that this process has seen, and whose use is written down."""
    row, text = issue(account=account, scopes=scopes, now=now)
    ApiToken.objects.filter(pk=row.pk).update(last_used=timezone.now())
    tokens.verify(text=text, now=timezone.now())
    return text


@pytest.fixture
def text(account, now):
    return known(account, now)


@pytest.fixture
def taken():
    return Counter()


@pytest.fixture
def application(taken):
    """The short way before the ordinary one, which counts what is left to it."""
    ordinary = WSGIHandler()

    def counted(environ, start_response):
        taken["ordinary"] += 1
        return ordinary(environ, start_response)

    return Shortcut(counted)


def asked(text, body, **more):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_AUTHORIZATION": f"Bearer {text}",
        "HTTP_X_REQUEST_ID": "told-by-the-caller",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(raw)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(raw),
        "wsgi.errors": io.StringIO(),
        **more,
    }


def answer(application, environ):
    """Status, headers and content."""
    begun = []
    found = application(environ, lambda status, headers, *_: begun.append((status, headers)))
    content = b"".join(found)
    if hasattr(found, "close"):
        found.close()
    ((status, headers),) = begun
    return status, headers, content.decode()


def likened(told, slug):
    """An answer with what must differ between two posts taken out: which checkpoint, which run, which crisis."""
    status, headers, content = told
    return status, [(name, NUMBER.sub(r"\1", value)) for name, value in headers], NUMBER.sub(r"\1", content.replace(slug, "it"))


NUMBER = re.compile(r'(\bC?R-|/runs/|/crises/|"id":)\d+')
ATTESTED = {"elicitation": {"attested_by": "ada"}}
STORED = [
    {"solved": 3, "total": 12},
    {"solved": 3, "total": 12},  # again
    {"solved": 0, "total": 100, "external_id": "low", **ATTESTED},
    {"solved": 60, "total": 100, "external_id": "high", "completed": "2026-01-02T03:04:05.250Z"},
    {"solved": 0, "total": 100, "external_id": "part", "coverage": {"planned": 200}},
    {"external_id": "failed", "status": "error", "measurements": []},
    {"external_id": "begun", "status": "started", "measurements": [], "heartbeat_seconds": 60},
    {"solved": 1, "total": 12, "external_id": "begun"},
]
REFUSED = [
    {"solved": 4, "total": 12},  # other content under a known identity
    {"solved": 4, "total": 12, "external_id": "odd", "evaluation": "nobody@1"},
    {"solved": 13, "total": 12, "external_id": "odd"},
    {"solved": 3, "total": 12, "external_id": "odd", "surprise": 1},
]


@pytest.mark.usefixtures("ada", "small")
def test_both_ways_answer_alike(application, taken, text, aurora, now):
    other = register_model(slug="borealis", name="Borealis", developer=aurora.model.developer, actor=SYSTEM, now=now)
    register_checkpoint(model=other, fields={"slug": "borealis-1", "name": "Borealis 1"}, actor=SYSTEM, now=now)
    ordinary = WSGIHandler()
    answer(application, asked(text, run_body(0, 100, external_id="warm", checkpoint="aurora-1", producer={"name": "warm"})))
    answer(ordinary, asked(text, run_body(0, 100, external_id="warm", checkpoint="borealis-1", producer={"name": "warm too"})))
    for body in STORED:
        short = answer(application, asked(text, run_body(checkpoint="aurora-1", producer={"name": "one"}, **body)))
        plain = answer(ordinary, asked(text, run_body(checkpoint="borealis-1", producer={"name": "two"}, **body)))
        assert likened(short, "aurora-1") == likened(plain, "borealis-1"), body
    assert taken["ordinary"] == 0
    assert EvalRun.objects.filter(producer="one").count() == EvalRun.objects.filter(producer="two").count() == len(STORED) - 1
    assert verify() is None


@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize("body", REFUSED)
def test_what_is_refused_is_left_to_the_ordinary_way_and_nothing_of_it_is_kept(application, taken, text, body):
    answer(application, asked(text, run_body(3, 12)))
    with nothing_stored():
        short = answer(application, asked(text, run_body(**body)))
        plain = answer(WSGIHandler(), asked(text, run_body(**body)))
    assert (short, taken["ordinary"]) == (plain, 1)
    assert short[0].split()[0] in {"400", "409"}


@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize(
    "more",
    [
        {"HTTP_IDEMPOTENCY_KEY": '"a"'},
        {"QUERY_STRING": "dry_run=true"},
        {"CONTENT_TYPE": "application/json; charset=utf-8"},
        {"HTTP_ACCEPT": "text/html"},
        {"REQUEST_METHOD": "GET"},
        {"HTTP_HOST": "elsewhere.example.org"},
        {"HTTP_AUTHORIZATION": "Basic YTpi"},
        {"CONTENT_LENGTH": ""},
    ],
)
def test_whatever_is_not_plain_is_left_to_the_ordinary_way(application, taken, text, more):
    same = asked(text, run_body(3, 12), **more)
    found = answer(application, same)
    assert taken["ordinary"] == 1
    assert found[0].split()[0] in {"200", "201", "400", "401", "406"}


@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff"])
def test_a_body_that_cannot_be_read_is_refused_as_ever(application, taken, text, raw):
    with nothing_stored():
        status, headers, _ = answer(application, asked(text, raw))
    assert (status.split()[0], dict(headers)["Content-Type"], taken["ordinary"]) == ("400", "application/problem+json", 1)


ENDINGS = {
    "revoked": lambda: ApiToken.objects.update(revoked=timezone.now()),
    "expired": lambda: ApiToken.objects.update(expires=timezone.now()),
    "owner stopped": lambda: ServiceAccount.objects.update(active=False),
    "scope taken": lambda: ApiToken.objects.update(scopes=["read"]),
    "restricted": lambda: ApiToken.objects.update(model_slugs=["other"]),
    "only from elsewhere": lambda: ApiToken.objects.update(networks=["192.0.2.0/24"]),
}


@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_a_token_that_ended_or_changed_a_moment_ago_stores_nothing(application, taken, text, end):
    assert answer(application, asked(text, run_body(3, 12)))[0] == "201 Created"
    end()
    with nothing_stored():
        status, *_ = answer(application, asked(text, run_body(3, 12, external_id="2")))
    assert (status.split()[0] in {"401", "403"}, taken["ordinary"]) == (True, 1)


@pytest.mark.usefixtures("small", "aurora")
def test_one_whose_token_ended_meanwhile_does_not_spoil_the_others_of_a_group(account, now):
    held, ended = known(account, now), known(account, now)
    proofs = [prove_from_memory(text=text, now=timezone.now(), address=None) for text in (held, ended, held)]
    ApiToken.objects.filter(key=proofs[1].bearer.key).update(revoked=now)
    posts = [Posted(parse(run_body(0, 100, external_id=str(number))), proof.bearer.actor, proof) for number, proof in enumerate(proofs)]
    outcomes = receive_runs(posts=posts, now=timezone.now(), as_one=False)
    assert [isinstance(outcome, TokenChanged) for outcome in outcomes] == [False, True, False]
    assert sorted(EvalRun.objects.values_list("external_id", flat=True)) == ["0", "2"]


@pytest.mark.usefixtures("small", "aurora")
def test_each_proof_must_hold_whatever_another_of_the_same_token_says(account, now):
    text = known(account, now)
    before = prove_from_memory(text=text, now=timezone.now(), address=None)
    ServiceAccount.objects.update(name="renamed")
    tokens.verify(text=text, now=timezone.now())
    after = prove_from_memory(text=text, now=timezone.now(), address=None)
    posts = [Posted(parse(run_body(0, 100, external_id=each.bearer.actor.name)), each.bearer.actor, each) for each in (before, after)]
    outcomes = receive_runs(posts=posts, now=timezone.now(), as_one=False)
    assert [isinstance(outcome, TokenChanged) for outcome in outcomes] == [True, False]
    assert list(EvalRun.objects.values_list("external_id", "posted_by")) == [("renamed", "service:renamed")]


class Unreadable(io.RawIOBase):
    def read(self, *_):
        raise AssertionError("nobody is to wait for this body")


@pytest.mark.usefixtures("small", "aurora")
def test_a_body_is_not_waited_for_before_its_token_is_proven(application, taken):
    status, *_ = answer(application, asked("fsf_dev_nobody", b"{}", **{"wsgi.input": Unreadable()}))
    assert (status.split()[0], taken["ordinary"]) == ("401", 1)


@pytest.mark.usefixtures("small", "aurora")
def test_a_token_is_asked_about_once_before_the_short_way_is_open_to_it(application, taken, account, now):
    _, text = issue(account=account, scopes=["runs:write"], now=now)
    for number in range(3):
        answer(application, asked(text, run_body(0, 100, external_id=str(number))))
    assert taken["ordinary"] == 2  # unknown, then not seen; its use is written down by then
    assert ApiToken.objects.get().last_used is not None


@pytest.mark.usefixtures("small", "aurora")
def test_a_post_that_is_left_to_the_ordinary_way_is_counted_once(application, text, settings):
    settings.RATE_TOKEN = 999_999
    left = []
    for solved in (3, 4, 5):  # stored; refused, for other content is stored
        _, headers, _ = answer(application, asked(text, run_body(solved, 12)))
        left.append(int(dict(headers)["RateLimit"].split("r=")[1].split(";")[0]))
    assert left == [left[0], left[0] - 1, left[0] - 2]


@pytest.mark.usefixtures("small", "aurora", "ada")
def test_posts_that_come_at_once_are_stored_and_answered_each(application, taken, text, at_once):
    def post(number):
        try:
            return answer(application, asked(text, run_body(number % 13, 12 + number % 3, external_id=str(number % 20))))
        finally:
            connection.close()

    told = [json.loads(content) for status, _, content in at_once(post, range(12)) if status == "201 Created"]
    stored = {str(run.pk): run for run in EvalRun.objects.all()}
    assert {str(each["id"]) for each in told} == set(stored)
    assert taken["ordinary"] == 0
    assert verify() is None


@pytest.mark.usefixtures("small", "aurora")
def test_where_storing_fails_the_ordinary_way_stores_it_once(application, taken, text, monkeypatch):
    def fail(_):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("fsf.shortcut.receive_gathered", fail)
    status, *_ = answer(application, asked(text, run_body(3, 12)))
    assert (status, taken["ordinary"], EvalRun.objects.count()) == ("201 Created", 1, 1)
