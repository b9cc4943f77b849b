import datetime as dt
import shlex

import pytest

from accounts.models import ApiToken, ServiceAccount, User
from accounts.roles import Reach, Role
from accounts.tokens import SCOPES, Grant, issue, issue_grant
from audit.models import Entry
from crises.models import Crisis, KeptReply
from evals.models import EvalRun
from gates.models import GateDecision
from tests.api.conftest import faults, nothing_stored, problem
from tests.conftest import run_body

pytestmark = pytest.mark.django_db
BODY = {"purpose": "child", "scopes": ["read"], "days": 10}


@pytest.fixture
def by(pipeline, now):
    """Makes the pipeline come with another token: of this owner, with these scopes and limits."""

    def by(owner=None, scopes=SCOPES, **limits):
        owner = owner or pipeline.account
        pipeline.token, pipeline.text = issue_grant(owner=owner, grant=Grant(frozenset(scopes), "by", **limits), now=now)
        return pipeline

    return by


def with_text(pipeline, text):
    pipeline.text = text
    return pipeline


def test_a_made_token_is_shown_once_and_works(pipeline):
    answer = pipeline.send("tokens/", {**BODY, "networks": ["127.0.0.0/8"]})
    made, parent = answer.json(), pipeline.token
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert made["owner"] == "service:nightly"
    assert (made["purpose"], made["scopes"], made["networks"], made["parent"]) == ("child", ["read"], ["127.0.0.0/8"], parent.key)
    listed = pipeline.get("tokens/")
    assert made["token"] not in listed.content.decode()
    assert [row["key"] for row in listed.json()["results"]] == [made["key"], parent.key]
    assert with_text(pipeline, made["token"]).get("runs/").status_code == 200


def test_the_curl_line_asks_what_the_token_may_do(pipeline):
    made = pipeline.send("tokens/", BODY).json()
    _, _, address, _, header = shlex.split(made["curl"])
    name, _, value = header.partition(": ")
    answer = pipeline.client.get(address.partition("/api/v1/")[1] + address.partition("/api/v1/")[2], headers={name: value})
    assert (answer.status_code, answer.json()["key"], answer.json()["scopes"]) == (200, made["key"], ["read"])


@pytest.mark.parametrize("scope", SCOPES)
def test_any_live_token_may_ask_about_itself_and_end_itself(pipeline_with, scope):
    pipeline = pipeline_with(scope)
    assert pipeline.get("tokens/self/").json()["scopes"] == [scope]
    answer = pipeline.send(f"tokens/{pipeline.token.key}/revoke/", {"reason": "unneeded"})
    assert (answer.status_code, answer.json()) == (200, {"key": pipeline.token.key, "also": []})
    problem(pipeline.get("tokens/self/"), 401, "not_authenticated")


def test_what_is_left_out_is_as_the_asking_token_has_it(by, aurora, small, now):
    pipeline = by(reach=Reach(frozenset({"aurora"}), frozenset({"ctf"})), networks=("127.0.0.1",), days=20)
    made = pipeline.send("tokens/", {"purpose": "child", "scopes": ["read"]}).json()
    assert (made["models"], made["evaluations"], made["networks"]) == (["aurora"], ["ctf"], ["127.0.0.1/32"])
    assert ApiToken.objects.get(key=made["key"]).expires == pipeline.token.expires


def test_a_long_lived_token_makes_one_of_ninety_days_where_none_are_given(by, now):
    made = by(days=365).send("tokens/", {"purpose": "child", "scopes": ["read"]}).json()
    lives = ApiToken.objects.get(key=made["key"]).expires - now
    assert dt.timedelta(days=90) <= lives < dt.timedelta(days=90, minutes=5)


@pytest.mark.parametrize(
    "more",
    [{"scopes": ["runs:write"]}, {"models": []}, {"evaluations": []}, {"networks": []}, {"networks": ["0.0.0.0/0"]}, {"days": 21}],
)
def test_no_token_makes_a_stronger_one(by, aurora, small, more):
    reach = Reach(frozenset({"aurora"}), frozenset({"ctf"}))
    pipeline = by(scopes=["tokens:write", "read"], reach=reach, networks=("127.0.0.0/8",), days=20)
    with nothing_stored():
        problem(pipeline.send("tokens/", {**BODY, **more}), 422, "refused")


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["admin"]}, "/scopes"),
        ({"scopes": "read"}, "/scopes"),
        ({"purpose": ""}, "/purpose"),
        ({"purpose": "x" * 61}, "/purpose"),
        ({"days": 0}, "/days"),
        ({"days": 366}, "/days"),
        ({"days": True}, "/days"),
        ({"models": ["no-such-model"]}, "/models"),
        ({"evaluations": ["ctf@1"]}, "/evaluations"),
        ({"networks": ["10.0.0.0/8"] * 101}, "/networks"),
        ({"owner": "ada"}, "/owner"),
        ({"expires": "2099-01-01"}, "/expires"),
    ],
)
def test_a_faulty_body_makes_no_token(pipeline, more, pointer):
    with nothing_stored():
        assert pointer in [found for found, _ in faults(pipeline.send("tokens/", {**BODY, **more}))]


@pytest.mark.parametrize("network", ["10.0.0.5/8", "everywhere", "10.0.0.0/99"])
def test_an_odd_network_is_refused(pipeline, network):
    with nothing_stored():
        assert network in problem(pipeline.send("tokens/", {**BODY, "networks": [network]}), 422, "refused")["detail"]


def test_rotation_by_api_from_two_live_tokens_back_to_one(pipeline):
    old = pipeline.token
    made = pipeline.send(f"tokens/{old.key}/rotate/", {"days": 30}).json()
    problem(pipeline.send(f"tokens/{old.key}/rotate/", {"days": 30}), 422, "refused")
    with_text(pipeline, made["token"])
    assert pipeline.send(f"tokens/{old.key}/revoke/", {"reason": "replaced"}).json() == {"key": old.key, "also": []}
    assert [row["revoked"] is None for row in pipeline.get("tokens/").json()["results"]] == [True, False]
    assert pipeline.send(f"tokens/{made['key']}/rotate/", {}).status_code == 201


def test_a_leaked_token_takes_along_what_was_made_with_it(pipeline):
    made = pipeline.send("tokens/", BODY).json()
    answer = pipeline.send(f"tokens/{pipeline.token.key}/revoke/", {"reason": "leaked"})
    assert answer.json() == {"key": pipeline.token.key, "also": [made["key"]]}
    problem(with_text(pipeline, made["token"]).get("runs/"), 401, "not_authenticated")


@pytest.mark.parametrize("body", [{}, {"reason": "because"}, {"reason": "leaked", "all": "yes"}])
def test_revoking_needs_a_reason(pipeline, body):
    with nothing_stored():
        faults(pipeline.send(f"tokens/{pipeline.token.key}/revoke/", body))


def test_the_tokens_of_others_are_not_there(pipeline, ada, now):
    other = ServiceAccount.objects.create(name="other", created=now)
    keys = [issue(account=owner, scopes=["read"], now=now)[0].key for owner in (other, ada)]
    assert [row["key"] for row in pipeline.get("tokens/").json()["results"]] == [pipeline.token.key]
    for key in [*keys, "00000000", "' OR 1=1"]:
        with nothing_stored():
            problem(pipeline.send(f"tokens/{key}/revoke/", {"reason": "leaked"}), 404, "not_found")
            problem(pipeline.send(f"tokens/{key}/rotate/", {}), 404, "not_found")


def test_ending_another_token_needs_the_scope(pipeline_with):
    one, other = pipeline_with("read"), pipeline_with("read")
    with nothing_stored():
        body = problem(one.send(f"tokens/{other.token.key}/revoke/", {"reason": "leaked"}), 403, "not_allowed")
    assert "tokens:write" in body["detail"]


def test_making_and_ending_by_api_is_on_record(pipeline):
    made = pipeline.send("tokens/", BODY).json()
    pipeline.send(f"tokens/{made['key']}/revoke/", {"reason": "unneeded"})
    told = [(entry.action, entry.actor, entry.data["by_token"]) for entry in Entry.objects.order_by("seq")]
    assert told == [(f"accounts.token.{verb}", "nightly", pipeline.token.key) for verb in ("make", "revoke")]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_takes_as_many_queries_for_three_as_for_one(pipeline, now, rows, django_assert_num_queries):
    for number in range(rows):
        issue(account=pipeline.account, scopes=["read"], now=now, purpose=str(number))
    pipeline.get("tokens/")
    with django_assert_num_queries(2):
        pipeline.get("tokens/")


def test_a_person_posts_and_reads_by_token_as_that_person(by, ben, aurora, small):
    pipeline = by(ben, ["runs:write", "read", "tokens:write"])
    assert pipeline.run(1, 12).status_code == 201
    assert EvalRun.objects.get().posted_by == f"person:{ben.display_name}"
    assert pipeline.get("tokens/self/").json()["owner"] == "person:ben"
    assert pipeline.send("tokens/", BODY).json()["owner"] == "person:ben"


def test_by_token_a_lead_decides_nothing(by, ada, aurora, small, now):
    """Every scope that a lead's token can be given; what is done by hand has no address, or refuses it."""
    pipeline = by(ada, SCOPES)
    pipeline.run(3, 12)
    crisis = Crisis.objects.get()
    with nothing_stored():
        problem(pipeline.send("gate/", {"checkpoint": "aurora-1", "stage": "external"}), 403, "not_allowed")
        stated = {"checkpoint": "aurora-1", "level": "small-1.0.uplift", "status": "below", "stated": "2026-01-01", "source": "a page"}
        problem(pipeline.send("determinations/", stated), 403, "not_allowed")
        for verb in ("acknowledge", "ready", "close", "sign-off"):
            problem(pipeline.send(f"crises/{crisis.pk}/{verb}/", {}), 404, "not_found")
    assert pipeline.get("gate/", checkpoint="aurora-1", stage="external").status_code == 200
    assert not GateDecision.objects.exists()


def test_a_cookie_beside_a_token_gives_it_no_more(by, ada, ben, aurora, small):
    pipeline = by(ben, ["read"])
    pipeline.client.force_login(ada)
    problem(pipeline.send("runs/", run_body(1, 12)), 403, "not_allowed")


def test_a_person_who_lost_the_role_lost_the_tokens_scopes(by, ben, aurora, small):
    pipeline = by(ben, ["runs:write", "read"])
    User.objects.filter(pk=ben.pk).update(role=Role.MEMBER)
    problem(pipeline.run(1, 12), 403, "not_allowed")
    assert pipeline.get("runs/").status_code == 200


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"REMOTE_ADDR": "10.20.1.1"}, 200),
        ({"REMOTE_ADDR": "::ffff:10.20.1.1"}, 200),
        ({"REMOTE_ADDR": "192.0.2.7"}, 403),
        ({"REMOTE_ADDR": "192.0.2.7", "HTTP_X_FORWARDED_FOR": "10.20.1.1"}, 403),
        ({"REMOTE_ADDR": ""}, 403),
    ],
)
def test_a_token_is_used_from_its_networks_and_a_header_of_the_clients_changes_nothing(by, more, status):
    pipeline = by(networks=("10.20.0.0/16",))
    answer = pipeline.client.get("/api/v1/tokens/self/", headers=pipeline._headers(), **more)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("forwarded", "status"), [("10.20.1.1", 200), ("10.20.1.1, 192.0.2.7", 403), ("192.0.2.7, 10.20.1.1", 200), (None, 403)]
)
def test_behind_our_proxy_what_it_wrote_counts(by, settings, forwarded, status):
    settings.TRUSTED_PROXIES = 1
    pipeline = by(networks=("10.20.0.0/16",))
    header = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    answer = pipeline.client.get("/api/v1/tokens/self/", headers=pipeline._headers(), REMOTE_ADDR="10.20.0.1", **header)
    assert answer.status_code == status


def test_a_wrong_token_is_told_as_rfc_6750_has_it(pipeline):
    asked = [pipeline.client.get("/api/v1/runs/", headers=headers) for headers in ({}, {"authorization": "Bearer fsf_dev_x"})]
    assert [answer["WWW-Authenticate"] for answer in asked] == ['Bearer realm="fsf"', 'Bearer realm="fsf", error="invalid_token"']


@pytest.mark.parametrize("path", ["tokens/", "tokens/{key}/rotate/"])
def test_a_kept_reply_holds_no_secret(pipeline, path):
    body = {"days": 10} if "rotate" in path else BODY

    def post():
        headers = {**pipeline._headers(), "idempotency-key": '"a"'}
        where = f"/api/v1/{path.format(key=pipeline.token.key)}"
        return pipeline.client.post(where, body, content_type="application/json", headers=headers)

    first, again = post(), post()
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.json()["token"], again.json()["curl"], again.json()["key"]) == (None, None, first.json()["key"])
    secret = first.json()["token"].split("_")[3][:20]
    assert secret not in str(list(KeptReply.objects.values()))
    assert ApiToken.objects.count() == 2


def test_a_restricted_token_is_shown_those_that_reach_no_further(pipeline, aurora, by):
    pipeline.send("tokens/", {**BODY, "purpose": "all"})
    narrow = by(reach=Reach(frozenset({"aurora"})))
    narrow.send("tokens/", {**BODY, "purpose": "own"})
    assert [row["purpose"] for row in narrow.get("tokens/").json()["results"]] == ["own", "by"]


def test_a_restricted_token_is_not_told_which_other_models_and_evaluations_there_are(by, aurora, small):
    narrow = by(reach=Reach(frozenset({"borealis"}), frozenset({"bio"})))
    for names in ({"models": ["aurora"]}, {"models": ["nothing"]}, {"evaluations": ["ctf"]}, {"evaluations": ["nothing"]}):
        problem(narrow.send("tokens/", {**BODY, **names}), 422, "refused")
    assert faults(narrow.send("tokens/", {**BODY, "models": ["borealis"]})) == [("/models", "invalid")]
