import datetime as dt

import pytest

from accounts.models import ApiToken, ServiceAccount, User
from accounts.roles import ALLOWED, SYSTEM, Actor, Kind, NotAllowed, Reach, Refused, Role
from accounts.scopes import SCOPES, given_by, held_by
from accounts.tokens import Grant, InvalidToken, TooManyTokens, issue, issue_grant, revoke, verify
from audit import log
from audit.access import Stronger, make_account, make_token, revoke_token, rotate_token, switch_off, switch_on
from audit.models import Entry
from tests.conftest import person

pytestmark = pytest.mark.django_db
READ = Grant(frozenset({"read"}), "reading")


@pytest.fixture
def nightly(now):
    return ServiceAccount.objects.create(name="nightly", created=now)


def limits(**more):
    scopes = frozenset({"read", "tokens:write"})
    reach = Reach(frozenset({"aurora", "borealis"}), frozenset({"ctf"}))
    return Grant(**{"scopes": scopes, "purpose": "root", "reach": reach, "networks": ("10.0.0.0/8",), "days": 30, **more})


@pytest.fixture
def root(nightly, now):
    """A token that may make tokens, restricted in every direction, and the actor that it makes of its bearer."""
    row, _ = issue_grant(owner=nightly, grant=limits(), now=now)
    return row, Actor(Kind.SERVICE, "nightly", nightly.pk, None, row.reach, row.key)


def entries():
    return list(Entry.objects.order_by("seq").values_list("action", "about", "actor"))


@pytest.mark.parametrize("role", Role)
def test_people_make_tokens_for_themselves_with_the_scopes_of_their_role(role, now, db):
    somebody = person("somebody", role)
    for scope in SCOPES:
        grant = Grant(frozenset({scope}), f"for {scope}")
        if scope in held_by(role):
            row, _ = make_token(owner=somebody, grant=grant, actor=somebody.as_actor(), now=now)
            assert (row.person, row.account) == (somebody, None)
        else:
            with pytest.raises(NotAllowed, match=f"does not give the scope '{scope}'"):
                make_token(owner=somebody, grant=grant, actor=somebody.as_actor(), now=now)
    assert ApiToken.objects.count() == Entry.objects.count() == len(held_by(role))


@pytest.mark.parametrize("role", Role)
def test_whoever_manages_pipelines_makes_their_tokens(role, nightly, now):
    actor = person("somebody", role).as_actor()
    for scope in SCOPES:
        grant = Grant(frozenset({scope}), f"for {scope}")
        if "accounts.tokens" in ALLOWED[role] and scope in given_by(role):
            make_token(owner=nightly, grant=grant, actor=actor, now=now)
        else:
            with pytest.raises(NotAllowed):
                make_token(owner=nightly, grant=grant, actor=actor, now=now)


def test_nobody_makes_a_token_of_another_person(ada, ben, now):
    with pytest.raises(NotAllowed, match="by that person only"):
        make_token(owner=ben, grant=READ, actor=ada.as_actor(), now=now)
    assert not ApiToken.objects.exists()


def test_a_service_account_whose_number_is_a_persons_is_not_that_person(ada, now):
    impostor = Actor(Kind.SERVICE, "nightly", ada.pk)
    with pytest.raises(NotAllowed):
        make_token(owner=ada, grant=READ, actor=impostor, now=now)


def test_whoever_is_switched_off_makes_none(ada, nightly, now):
    ada.is_active = False
    for owner in (ada, nightly):
        with pytest.raises(NotAllowed):
            make_token(owner=owner, grant=READ, actor=ada.as_actor(), now=now)


def test_making_is_told_with_everything_but_the_secret(ada, nightly, now):
    row, text = make_token(owner=nightly, grant=limits(), actor=ada.as_actor(), now=now)
    entry = Entry.objects.get()
    assert (entry.action, entry.about, entry.actor) == ("accounts.token.make", f"token:{row.key}", "Ada Safety")
    assert entry.data == {
        "owner": "service:nightly",
        "purpose": "root",
        "scopes": ["read", "tokens:write"],
        "models": ["aurora", "borealis"],
        "evaluations": ["ctf"],
        "networks": ["10.0.0.0/8"],
        "expires": row.expires.isoformat(),
    }
    assert text.split("_")[3][:20] not in str(entry.data)
    assert log.verify() is None


def test_a_refusal_leaves_neither_token_nor_entry(ada, nightly, now):
    for _ in range(2):
        make_token(owner=nightly, grant=READ, actor=ada.as_actor(), now=now)
    with pytest.raises(TooManyTokens):
        make_token(owner=nightly, grant=READ, actor=ada.as_actor(), now=now)
    assert ApiToken.objects.count() == Entry.objects.count() == 2


def test_an_account_is_made_once_and_told_once(ada, cleo, now):
    assert make_account(name=" nightly ", actor=ada.as_actor(), now=now) == make_account(name="nightly", actor=SYSTEM, now=now)
    with pytest.raises(NotAllowed):
        make_account(name="another", actor=cleo.as_actor(), now=now)
    with pytest.raises(Refused, match="needs a name"):
        make_account(name=" ", actor=SYSTEM, now=now)
    assert entries() == [("accounts.account.make", f"account:{ServiceAccount.objects.get().pk}", "Ada Safety")]


def test_a_token_makes_one_within_its_own_limits(root, now):
    parent, actor = root
    grant = limits(purpose="child", reach=Reach(frozenset({"aurora"}), frozenset({"ctf"})), networks=("10.1.0.0/16",), days=29)
    row, _ = make_token(owner=parent.owner, grant=grant, actor=actor, now=now)
    assert (row.parent, row.owner, row.model_slugs, row.networks) == (parent, parent.owner, ["aurora"], ["10.1.0.0/16"])
    assert Entry.objects.get().data["by_token"] == parent.key


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"scopes": frozenset({"read", "runs:write"})}, "has no scope 'runs:write'"),
        ({"scopes": frozenset(SCOPES)}, "has no scope 'catalogue:write', 'determinations:write'"),
        ({"reach": Reach()}, "restricted to certain models"),
        ({"reach": Reach(frozenset({"aurora"}))}, "restricted to certain models"),
        ({"reach": Reach(frozenset({"aurora", "cirrus"}), frozenset({"ctf"}))}, "restricted to certain models"),
        ({"networks": ()}, "may be used from 10.0.0.0/8 only"),
        ({"networks": ("10.0.0.0/7",)}, "may be used from 10.0.0.0/8 only"),
        ({"networks": ("10.0.0.0/8", "::/0")}, "may be used from 10.0.0.0/8 only"),
        ({"days": 31}, "no token that it makes lives longer"),
        ({"days": 365}, "no token that it makes lives longer"),
    ],
)
def test_a_token_makes_none_that_is_stronger_than_itself(root, now, more, says):
    parent, actor = root
    with pytest.raises(Stronger, match=says):
        make_token(owner=parent.owner, grant=limits(purpose="child", **more), actor=actor, now=now)
    assert (list(ApiToken.objects.all()), entries()) == ([parent], [])


def test_a_token_makes_none_of_another_owner(root, ada, now):
    _, actor = root
    for owner in (ada, ServiceAccount.objects.create(name="other", created=now)):
        with pytest.raises(Stronger, match="own owner only"):
            make_token(owner=owner, grant=limits(purpose="child"), actor=actor, now=now)


def test_a_persons_token_gives_only_what_the_role_still_gives(ada, now):
    row, _ = issue(account=ada, scopes=["tokens:write", "read", "runs:write"], now=now)
    User.objects.filter(pk=ada.pk).update(role=Role.AUDITOR)
    actor = Actor(Kind.PERSON, "Ada", ada.pk, Role.AUDITOR, token=row.key)
    with pytest.raises(Stronger, match="has no scope 'runs:write'"):
        make_token(owner=row.owner, grant=Grant(frozenset({"read", "runs:write"}), "child", days=1), actor=actor, now=now)


def test_a_token_that_was_revoked_meanwhile_makes_nothing(root, now):
    parent, actor = root
    revoke(token=parent, now=now)
    with pytest.raises(NotAllowed, match="was revoked"):
        make_token(owner=parent.owner, grant=limits(purpose="child"), actor=actor, now=now)


def test_rotating_makes_one_alike_and_leaves_the_old_one_until_it_is_revoked(ada, nightly, now):
    later = now + dt.timedelta(days=20)
    old, old_text = make_token(owner=nightly, grant=limits(), actor=ada.as_actor(), now=now)
    new, text = rotate_token(token=old, actor=ada.as_actor(), now=later)
    for field in ("owner", "purpose", "scopes", "model_slugs", "evaluation_slugs", "networks"):
        assert getattr(new, field) == getattr(old, field)
    assert (new.parent, new.expires) == (None, later + dt.timedelta(days=30))
    assert Entry.objects.get(seq=2).data["rotates"] == old.key
    with pytest.raises(TooManyTokens, match="revoke one of them first"):
        rotate_token(token=old, actor=ada.as_actor(), now=later)
    revoke_token(token=old, reason="replaced", actor=ada.as_actor(), now=later)
    assert ApiToken.objects.get(revoked__isnull=True) == new
    assert old_text != text


def test_a_token_that_rotates_itself_gains_no_life(root, now):
    parent, actor = root
    new, _ = rotate_token(token=parent, actor=actor, now=now + dt.timedelta(days=10))
    assert (new.expires, new.parent) == (parent.expires, parent)
    with pytest.raises(Stronger, match="lives longer"):
        rotate_token(token=parent, actor=actor, now=now + dt.timedelta(days=10), days=25)


def test_a_token_rotates_none_that_is_stronger_than_itself(root, nightly, now):
    _, actor = root
    strong, _ = issue(account=nightly, scopes=["runs:write"], now=now, days=5)
    with pytest.raises(Stronger):
        rotate_token(token=strong, actor=actor, now=now)


def test_what_was_revoked_is_not_rotated(ada, nightly, now):
    row, _ = issue(account=nightly, scopes=["read"], now=now)
    revoke(token=row, now=now)
    row.refresh_from_db()
    with pytest.raises(Refused, match="make a new one"):
        rotate_token(token=row, actor=ada.as_actor(), now=now)


@pytest.fixture
def owned(nightly, ada, ben, now):
    return {owner: issue(account=owner, scopes=["read"], now=now)[0] for owner in (nightly, ada, ben)}


@pytest.mark.parametrize(
    ("who", "whose", "may"),
    [
        ("ada", "nightly", True),
        ("ada", "ben", True),
        ("ben", "nightly", True),
        ("ben", "ben", True),
        ("ben", "ada", False),
        ("cleo", "nightly", False),
        ("dan", "ada", False),
    ],
)
def test_who_may_revoke_whose_token(who, whose, may, owned, request):
    actor = request.getfixturevalue(who).as_actor()
    token = owned[request.getfixturevalue(whose)]
    if may:
        revoke_token(token=token, reason="unneeded", actor=actor, now=token.created)
    else:
        with pytest.raises(NotAllowed):
            revoke_token(token=token, reason="unneeded", actor=actor, now=token.created)
    token.refresh_from_db()
    assert ((token.revoked is not None), Entry.objects.count()) == (may, int(may))


def test_a_token_revokes_those_of_its_owner_and_no_others(root, owned, nightly, ada, now):
    _, actor = root
    revoke_token(token=owned[nightly], reason="replaced", actor=actor, now=now)
    with pytest.raises(NotAllowed):
        revoke_token(token=owned[ada], reason="replaced", actor=actor, now=now)
    assert Entry.objects.get().data["by_token"] == actor.token


def test_a_leads_token_ends_no_other_persons(ada, owned, ben, now):
    by_token = Actor(Kind.PERSON, "Ada Safety", ada.pk, Role.SAFETY_LEAD, token=owned[ada].key)
    with pytest.raises(NotAllowed, match="must be done by hand"):
        revoke_token(token=owned[ben], reason="unneeded", actor=by_token, now=now)


def test_a_leak_ends_what_the_token_made_and_says_so(root, ada, now):
    parent, actor = root
    child, _ = make_token(owner=parent.owner, grant=limits(purpose="child"), actor=actor, now=now)
    assert revoke_token(token=parent, reason="leaked", actor=ada.as_actor(), now=now) == [child.key]
    assert not ApiToken.objects.filter(revoked__isnull=True).exists()
    assert Entry.objects.get(action="accounts.token.revoke").data["with"] == [child.key]


def test_a_token_that_was_replaced_leaves_what_it_made(root, ada, now):
    parent, actor = root
    child, _ = rotate_token(token=parent, actor=actor, now=now)
    assert revoke_token(token=parent, reason="replaced", actor=ada.as_actor(), now=now) == []
    assert ApiToken.objects.get(revoked__isnull=True) == child


def test_a_leak_that_shows_later_still_ends_what_was_made(root, ada, now):
    parent, actor = root
    child, _ = rotate_token(token=parent, actor=actor, now=now)
    revoke_token(token=parent, reason="replaced", actor=ada.as_actor(), now=now)
    parent.refresh_from_db()
    with pytest.raises(Refused, match="revoked already"):
        revoke_token(token=parent, reason="unneeded", actor=ada.as_actor(), now=now)
    assert revoke_token(token=parent, reason="leaked", actor=ada.as_actor(), now=now) == [child.key]


@pytest.mark.parametrize("reason", ["", "because", "LEAKED"])
def test_revoking_needs_one_of_the_reasons(reason, root, ada, now):
    with pytest.raises(Refused, match="replaced, unneeded, leaked"):
        revoke_token(token=root[0], reason=reason, actor=ada.as_actor(), now=now)


def test_the_command_line_makes_any_service_token_but_no_person_more_than_the_role(nightly, cleo, now):
    _, text = make_token(owner=nightly, grant=Grant(frozenset(SCOPES), "all"), actor=SYSTEM, now=now)
    assert verify(text=text, now=now).scopes == set(SCOPES)
    with pytest.raises(NotAllowed):
        make_token(owner=cleo, grant=Grant(frozenset({"runs:write"})), actor=SYSTEM, now=now)


def test_an_account_that_is_switched_off_has_no_token_left_and_gets_none(nightly, ben, now):
    row, text = issue(account=nightly, scopes={"read"}, now=now)
    assert switch_off(account=nightly, actor=ben.as_actor(), now=now) == [row.key]
    with pytest.raises(InvalidToken):
        verify(text=text, now=now)
    with pytest.raises(Refused, match="switched off"):
        make_token(owner=nightly, grant=READ, actor=ben.as_actor(), now=now)
    switch_on(account=nightly, actor=ben.as_actor(), now=now)
    with pytest.raises(InvalidToken):
        verify(text=text, now=now)
    make_token(owner=nightly, grant=READ, actor=ben.as_actor(), now=now)
    assert [action.rpartition(".")[2] for action, *_ in entries()] == ["switch_off", "switch_on", "make"]
    with pytest.raises(Refused, match="on already"):
        switch_on(account=nightly, actor=ben.as_actor(), now=now)


def test_nobody_switches_an_account_off_who_may_not_make_its_tokens(nightly, cleo, root, now):
    for actor in (cleo.as_actor(), root[1]):
        with pytest.raises(NotAllowed):
            switch_off(account=nightly, actor=actor, now=now)
    assert ServiceAccount.objects.get().active
