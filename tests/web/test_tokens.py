import html
import re
import shlex

import pytest

from accounts.models import ApiToken, ServiceAccount
from accounts.roles import SYSTEM, Role
from accounts.tokens import Grant, issue, issue_grant, revoke
from audit.access import make_token
from audit.models import Entry
from tests.conftest import person
from tests.web.conftest import signed_in

pytestmark = pytest.mark.django_db
NEW = "/tokens/new/"
FORM = {"owner": "service", "account": "nightly", "purpose": "Nightly on cluster B", "scopes": ["read", "runs:write"], "days": "30"}


@pytest.fixture
def nightly(now):
    return ServiceAccount.objects.create(name="nightly", created=now)


def shown(answer):
    """The token and the curl line that a page shows."""
    return [html.unescape(text) for text in re.findall(r'<pre id="\w+"[^>]*>([^<]*)</pre>', answer.content.decode())]


def text_of(answer):
    return html.unescape(answer.content.decode())


def fields(client):
    return set(re.findall(r'name="(\w+)"', client.get(NEW).content.decode())) - {"csrfmiddlewaretoken", "once", "viewport"}


def test_a_lead_makes_a_token_for_a_new_service_account_and_its_curl_line_works(lead, client):
    answer = lead.post(NEW, FORM)
    row = ApiToken.objects.get()
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (201, True)
    assert (row.account.name, row.purpose, row.scopes, (row.expires - row.created).days) == (
        *("nightly", "Nightly on cluster B", ["read", "runs:write"], 30),
    )
    token, line = shown(answer)
    command, _, address, _, header = shlex.split(line)
    assert (command, token in header) == ("curl", True)
    tried = client.get(address.removeprefix("http://testserver"), headers={"authorization": header.partition(": ")[2]})
    assert (tried.status_code, tried.json()["key"]) == (200, row.key)
    assert list(Entry.objects.order_by("seq").values_list("action", "actor")) == [
        ("accounts.account.make", "Ada Safety"),
        ("accounts.token.make", "Ada Safety"),
    ]


def test_the_token_is_on_no_other_page_and_in_no_session(lead):
    token, _ = shown(lead.post(NEW, {**FORM, "once": "a"}))
    assert token not in lead.get("/tokens/").content.decode()
    assert token not in str(dict(lead.session))


def test_a_page_that_is_loaded_again_makes_no_second_token(lead):
    lead.post(NEW, {**FORM, "once": "a"})
    again = lead.post(NEW, {**FORM, "once": "a"}, follow=True)
    assert "was made already, and is shown only once" in text_of(again)
    assert ApiToken.objects.count() == 1
    assert lead.post(NEW, {**FORM, "once": "b"}).status_code == 201


def test_limits_are_kept_with_the_token(lead, aurora, small):
    more = {"models": ["aurora"], "evaluations": ["ctf"], "networks": "10.20.0.0/16\n\n ::ffff:192.0.2.7 \n"}
    assert "from 10.20.0.0/16, 192.0.2.7/32" in text_of(lead.post(NEW, {**FORM, **more}))
    row = ApiToken.objects.get()
    assert (row.model_slugs, row.evaluation_slugs, row.networks) == (["aurora"], ["ctf"], ["10.20.0.0/16", "192.0.2.7/32"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"purpose": ""}, "Say what the token is for"),
        ({"scopes": []}, "Choose at least one thing"),
        ({"scopes": ["admin"]}, "admin is not one of the available choices"),
        ({"days": ""}, "Say for how many days it lives"),
        ({"days": "366"}, "less than or equal to 365"),
        ({"days": "0"}, "greater than or equal to 1"),
        ({"account": "  "}, "Name the service account"),
        ({"networks": "10.0.0.5/8"}, "the network is 10.0.0.0/8"),
        ({"networks": "everywhere"}, "'everywhere' is no network"),
        ({"models": ["no-such-model"]}, "no-such-model is not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(lead, wrong, said):
    answer = lead.post(NEW, {**FORM, **wrong})
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not ApiToken.objects.exists()
    assert not ServiceAccount.objects.exists()
    assert not Entry.objects.exists()


def test_a_third_token_for_one_purpose_is_refused_with_what_to_revoke(lead, nightly, now):
    keys = [issue(account=nightly, scopes=["read"], now=now, purpose=FORM["purpose"])[0].key for _ in range(2)]
    answer = lead.post(NEW, FORM)
    assert answer.status_code == 422
    assert all(key in text_of(answer) for key in keys)
    assert "revoke one of them first" in text_of(answer)


def test_a_member_is_offered_a_token_of_their_own_only(outsider, dan):
    assert fields(outsider) == {"purpose", "scopes", "days", "networks"}
    asked = {"purpose": "Notebook", "scopes": ["read"], "days": "7", "owner": "service", "account": "nightly"}
    assert outsider.post(NEW, asked).status_code == 201
    assert ApiToken.objects.get().owner == dan
    assert outsider.post(NEW, {**asked, "scopes": ["runs:write"]}).status_code == 422


def test_an_engineer_makes_tokens_for_pipelines_but_states_no_determination(engineer):
    assert {"owner", "account"} <= fields(engineer)
    assert "determinations:write" not in text_of(engineer.get(NEW))
    assert engineer.post(NEW, {**FORM, "scopes": ["determinations:write"]}).status_code == 422
    assert engineer.post(NEW, FORM).status_code == 201


def test_nobodys_own_token_states_a_determination(lead):
    answer = lead.post(NEW, {**FORM, "owner": "me", "scopes": ["determinations:write"]})
    assert answer.status_code == 422
    assert "does not give the scope 'determinations:write'" in text_of(answer)


@pytest.fixture
def one_each(nightly, request, now):
    people = [request.getfixturevalue(name) for name in ("ada", "ben", "cleo", "dan")]
    return {owner: issue(account=owner, scopes=["read"], now=now)[0].key for owner in (nightly, *people)}


@pytest.mark.parametrize(
    ("who", "offers"),
    [
        ("ada", ("nightly ada ben cleo dan", "nightly ada", "nightly ada ben cleo dan")),
        ("ben", ("nightly ben", "nightly ben", "nightly ben")),
        ("cleo", ("nightly ada ben cleo dan", "cleo", "cleo")),
        ("dan", ("dan", "dan", "dan")),
    ],
)
def test_everyone_is_shown_what_concerns_them_and_offered_what_they_may(who, offers, one_each, request):
    sees, replaces, revokes = (names.split() for names in offers)
    text = text_of(signed_in(request.getfixturevalue(who)).get("/tokens/"))
    for owner, key in one_each.items():
        name = getattr(owner, "username", "nightly")
        assert (key in text) is (name in sees)
        assert (f"/tokens/{key}/rotate/" in text) is (name in replaces)
        assert (f"/tokens/{key}/revoke/" in text) is (name in revokes)


@pytest.mark.parametrize(("who", "whose", "status"), [("ben", "ada", 404), ("dan", "nightly", 404), ("cleo", "nightly", 302)])
def test_what_is_not_offered_is_not_done_either(who, whose, status, one_each, request):
    client, key = signed_in(request.getfixturevalue(who)), one_each[request.getfixturevalue(whose)]
    for act in ({"reason": "leaked"}, {}):
        verb = "revoke" if act else "rotate"
        assert client.post(f"/tokens/{key}/{verb}/", act).status_code == status
    assert not ApiToken.objects.filter(revoked__isnull=False).exists()
    assert ApiToken.objects.count() == len(one_each)


def test_replacing_shows_the_new_one_and_leaves_the_old_one_live(lead, nightly, now):
    old, _ = make_token(owner=nightly, grant=Grant(frozenset({"read"}), "Nightly", days=10), actor=SYSTEM, now=now)
    answer = lead.post(f"/tokens/{old.key}/rotate/", {"once": "a"})
    assert (answer.status_code, len(shown(answer))) == (201, 2)
    assert f"{old} still works" in text_of(answer)
    assert lead.post(f"/tokens/{old.key}/rotate/", {"once": "a"}).status_code == 302
    assert "revoke one of them first" in text_of(lead.post(f"/tokens/{old.key}/rotate/", {"once": "b"}, follow=True))
    assert ApiToken.objects.filter(revoked__isnull=True).count() == 2


def test_revoking_ends_a_token_and_shows_it_among_the_ended(lead, client, nightly, now):
    row, text = issue(account=nightly, scopes=["read"], now=now)
    answer = lead.post(f"/tokens/{row.key}/revoke/", {"reason": "unneeded"}, follow=True)
    assert "is revoked; nothing can use it any more" in text_of(answer)
    assert "Ended tokens (1)" in text_of(answer)
    assert client.get("/api/v1/runs/", headers={"authorization": f"Bearer {text}"}).status_code == 401


def test_a_leak_names_the_tokens_that_ended_with_it(lead, nightly, now):
    row, _ = issue(account=nightly, scopes=["read"], now=now)
    child, _ = issue_grant(owner=nightly, grant=Grant(frozenset({"read"}), "child"), now=now, parent=row)
    answer = lead.post(f"/tokens/{row.key}/revoke/", {"reason": "leaked"}, follow=True)
    assert f"So are those that were made with it: {child.key}." in text_of(answer)


def test_without_a_reason_nothing_ends_and_twice_nothing_changes(lead, nightly, now):
    row, _ = issue(account=nightly, scopes=["read"], now=now)
    assert "still works: choose why it ends" in text_of(lead.post(f"/tokens/{row.key}/revoke/", {}, follow=True))
    revoke(token=row, now=now)
    assert "was revoked already" in text_of(lead.post(f"/tokens/{row.key}/revoke/", {"reason": "unneeded"}, follow=True))


def test_a_token_of_somebody_who_is_switched_off_says_that_it_does_not_work(lead, ben, now):
    issue(account=ben, scopes=["read"], now=now)
    ben.is_active = False
    ben.save()
    assert "switched off: it does not work" in text_of(lead.get("/tokens/"))


def test_a_token_that_ends_soon_says_so(lead, nightly, now):
    issue(account=nightly, scopes=["read"], now=now, days=15)
    assert ">soon<" not in text_of(lead.get("/tokens/"))
    issue(account=nightly, scopes=["read"], now=now, days=13)
    assert text_of(lead.get("/tokens/")).count(">soon<") == 1


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_takes_as_many_queries_for_three_as_for_one(lead, nightly, now, rows, django_assert_num_queries):
    for number in range(rows):
        for owner in (nightly, person(f"person{number}", Role.MEMBER)):
            issue(account=owner, scopes=["read"], now=now, purpose=str(number))
            revoke(token=issue(account=owner, scopes=["read"], now=now, purpose=str(number))[0], now=now)
    with django_assert_num_queries(5):
        lead.get("/tokens/")


@pytest.mark.parametrize("path", ["/tokens/", NEW])
def test_who_is_not_signed_in_is_asked_first(client, path):
    assert client.get(path)["Location"] == f"/sign-in/?next={path}"


def test_a_token_opens_no_page(client, ada, now):
    _, text = issue(account=ada, scopes=["read", "tokens:write"], now=now)
    assert client.get("/tokens/", headers={"authorization": f"Bearer {text}"}).status_code == 302
    assert client.post(NEW, FORM, headers={"authorization": f"Bearer {text}"}).status_code == 302
