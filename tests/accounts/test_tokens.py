import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from accounts.models import ApiToken, ServiceAccount, User
from accounts.networks import address_of
from accounts.roles import Actor, Kind, NotAllowed, Reach, Refused, Role
from accounts.tokens import SCOPES, Grant, InvalidToken, TooManyTokens, _checksum, issue, issue_grant, revoke, revoke_family, verify
from tests.conftest import on_postgres

pytestmark = pytest.mark.django_db


@pytest.fixture
def nightly(now):
    return ServiceAccount.objects.create(name="nightly", created=now)


@pytest.fixture
def token(nightly, now):
    return issue(account=nightly, scopes=["runs:write"], now=now)


def signed(body):
    return body + _checksum(body)


def test_a_token_is_known_by_its_text(token, now):
    row, text = token
    assert verify(text=text, now=now).key == row.key
    assert text.startswith(f"fsf_dev_{row.key}_")


def test_neither_the_secret_nor_the_text_is_stored(token):
    row, text = token
    stored = " ".join(str(value) for value in ApiToken.objects.values_list().get(pk=row.pk))
    assert text.split("_")[3][:20] not in stored


def test_two_tokens_never_look_alike(nightly, now):
    made = [issue(account=nightly, scopes=["read"], now=now, purpose=f"number {number}")[1] for number in range(20)]
    assert len({text.split("_")[3] for text in made}) == 20


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1],
        lambda text: text + "a",
        lambda text: text[:-1] + ("a" if text[-1] != "a" else "b"),
        lambda text: text.upper(),
        lambda text: text.replace("fsf_", "ghp_"),
        lambda _: "",
        lambda _: "fsf",
        lambda _: "fsf_dev__",
        lambda _: "\x00" * 60,
        lambda text: "fsf_dev_é_ü" + text,
        lambda text: text[:20] + "_" + text[20:],
    ],
)
def test_a_mistyped_token_is_refused_before_the_database_is_asked(token, now, spoil, django_assert_num_queries):
    with django_assert_num_queries(0), pytest.raises(InvalidToken, match="cut or mistyped"):
        verify(text=spoil(token[1]), now=now)


@pytest.mark.parametrize("body", ["fsf_dev_{key}_wrong-secret", "fsf_dev_00000000_{secret}", "fsf_dev_{key}_"])
def test_a_guess_with_a_right_checksum_is_not_known(token, now, body):
    row, text = token
    secret = text.split("_")[3][:-7]
    with pytest.raises(InvalidToken, match="not known"):
        verify(text=signed(body.format(key=row.key, secret=secret)), now=now)


def test_a_key_that_no_database_can_look_for_is_refused(token, now):
    with pytest.raises(InvalidToken, match="cut or mistyped"):
        verify(text=signed("fsf_dev_\x00_secret"), now=now)


@pytest.mark.parametrize(("days", "lives"), [(0, True), (89.9, True), (90, False), (90.1, False), (1000, False)])
def test_a_token_lives_until_it_expires(token, now, days, lives):
    later = now + dt.timedelta(days=days)
    if lives:
        assert verify(text=token[1], now=later)
    else:
        with pytest.raises(InvalidToken, match="expired on"):
            verify(text=token[1], now=later)


def test_a_revoked_token_is_refused_at_once_and_its_row_stays(token, now):
    row, text = token
    revoke(token=row, now=now)
    with pytest.raises(InvalidToken, match="revoked"):
        verify(text=text, now=now)
    assert ApiToken.objects.get().revoked == now


def test_revoking_twice_keeps_the_first_time(token, now):
    revoke(token=token[0], now=now)
    revoke(token=token[0], now=now + dt.timedelta(days=1))
    assert ApiToken.objects.get().revoked == now


def test_the_tokens_of_an_inactive_account_are_refused(token, now, nightly):
    ServiceAccount.objects.filter(pk=nightly.pk).update(active=False)
    with pytest.raises(InvalidToken, match="revoked"):
        verify(text=token[1], now=now)


def test_a_stored_hash_that_was_changed_verifies_nothing(token, now):
    ApiToken.objects.update(secret_hash="0" * 64)
    with pytest.raises(InvalidToken, match="not known"):
        verify(text=token[1], now=now)


def test_a_token_of_a_pepper_that_is_gone_is_not_known(token, now, settings):
    settings.TOKEN_PEPPERS = {2: "another"}
    with pytest.raises(InvalidToken, match="not known"):
        verify(text=token[1], now=now)


def test_the_newest_pepper_makes_tokens_and_older_ones_still_verify(token, nightly, now, settings):
    settings.TOKEN_PEPPERS = {**settings.TOKEN_PEPPERS, 2: "newer"}
    row, text = issue(account=nightly, scopes=["read"], now=now)
    assert row.pepper == 2
    assert verify(text=text, now=now).key == row.key
    assert verify(text=token[1], now=now).key == token[0].key


@pytest.mark.parametrize("scopes", [[], ["admin"], ["runs:write", "everything"], [""]])
def test_unknown_scopes_make_no_token(nightly, now, scopes):
    with pytest.raises(Refused, match="scopes out of"):
        issue(account=nightly, scopes=scopes, now=now)
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("days", [0, -1, 366, 10_000])
def test_a_token_that_lives_too_long_or_not_at_all_is_not_made(nightly, now, days):
    with pytest.raises(Refused, match="1 to 365 days"):
        issue(account=nightly, scopes=["read"], now=now, days=days)


def test_scopes_are_kept_once_each(nightly, now):
    row, _ = issue(account=nightly, scopes=["read", "read", *SCOPES], now=now)
    assert row.scopes == sorted(SCOPES)


def test_last_use_is_kept_to_the_minute(token, now):
    row, text = token
    for seconds, seen in [(0, 0), (30, 0), (61, 61), (100, 61)]:
        verify(text=text, now=now + dt.timedelta(seconds=seconds))
        row.refresh_from_db()
        assert row.last_used == now + dt.timedelta(seconds=seen)


def test_a_token_shows_its_public_part_only(token):
    row, _ = token
    assert str(row) == f"fsf_…_{row.key}"


def test_people_and_service_accounts_act_as_what_they_are(ada, nightly):
    person, service = ada.as_actor(), nightly.as_actor()
    assert (person.kind, person.id, person.role, person.name) == (Kind.PERSON, ada.pk, Role.SAFETY_LEAD, "Ada Safety")
    ada.is_active = False
    assert ada.as_actor().role is None
    assert (service.kind, service.id, service.role) == (Kind.SERVICE, nightly.pk, None)


@pytest.fixture
def limited(nightly, now):
    reach = Reach(frozenset({"aurora"}), frozenset({"ctf"}))
    grant = Grant(frozenset({"read"}), "limited", reach, ("10.20.0.0/16", "::ffff:192.0.2.0/120"))
    return issue_grant(owner=nightly, grant=grant, now=now)


def test_a_token_proves_who_acts_and_how_far(limited, nightly, now):
    row, text = limited
    bearer = verify(text=text, now=now, address=address_of("10.20.1.1"))
    actor = Actor(Kind.SERVICE, "nightly", nightly.pk, None, Reach(frozenset({"aurora"}), frozenset({"ctf"})), row.key)
    assert (bearer.actor, bearer.scopes, bearer.expires, str(bearer)) == (actor, {"read"}, row.expires, str(row))


@pytest.mark.parametrize("address", ["10.21.1.1", "2001:db8::1", "", "192.0.3.1"])
def test_from_elsewhere_a_token_is_refused_and_not_taken_as_used(limited, now, address):
    with pytest.raises(NotAllowed, match="may not be used from"):
        verify(text=limited[1], now=now, address=address_of(address))
    limited[0].refresh_from_db()
    assert limited[0].last_used is None


@pytest.mark.parametrize("address", ["10.20.255.255", "192.0.2.9", "::ffff:10.20.0.1"])
def test_from_its_networks_a_token_is_used(limited, now, address):
    assert verify(text=limited[1], now=now, address=address_of(address)).key == limited[0].key


def test_verifying_takes_one_query_and_one_more_where_a_minute_has_passed(limited, now, ada, django_assert_num_queries):
    home = address_of("10.20.0.1")
    _, text = issue(account=ada, scopes=["read"], now=now)
    with django_assert_num_queries(4):
        verify(text=limited[1], now=now, address=home)
        verify(text=text, now=now)
    with django_assert_num_queries(2):
        verify(text=limited[1], now=now, address=home)
        verify(text=text, now=now)


def test_a_wrong_secret_takes_as_many_queries_and_hashes_as_an_unknown_key(token, now, monkeypatch, django_assert_num_queries):
    row, text = token
    hashed = []
    monkeypatch.setattr("accounts.tokens._hash", lambda secret, pepper: hashed.append((secret, pepper)) or "f" * 64)
    secret = text.split("_")[3][:-7]
    for key, other in ((row.key, "x" + secret[1:]), ("00000000", secret)):
        with django_assert_num_queries(1), pytest.raises(InvalidToken, match="not known"):
            verify(text=signed(f"fsf_dev_{key}_{other}"), now=now)
    assert [pepper for _, pepper in hashed] == [1, 1]


def test_a_persons_token_acts_as_the_person(ada, now):
    row, text = issue(account=ada, scopes=["read", "runs:write"], now=now)
    bearer = verify(text=text, now=now)
    assert bearer.actor == Actor(Kind.PERSON, "Ada Safety", ada.pk, Role.SAFETY_LEAD, token=row.key)
    assert bearer.scopes == {"read", "runs:write"}


def test_the_tokens_of_a_person_who_is_switched_off_are_dead_at_once(ada, now):
    _, text = issue(account=ada, scopes=["read"], now=now)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    with pytest.raises(InvalidToken, match="revoked"):
        verify(text=text, now=now)


def test_a_role_that_was_taken_away_takes_its_scopes_from_the_tokens(ada, now):
    _, text = issue(account=ada, scopes=["read", "runs:write", "tokens:write"], now=now)
    User.objects.filter(pk=ada.pk).update(role=Role.AUDITOR)
    assert verify(text=text, now=now).scopes == {"read"}


def test_a_third_token_for_the_same_purpose_is_refused_with_the_keys_of_the_two(nightly, now):
    first, second = (issue(account=nightly, scopes=["read"], now=now)[0] for _ in range(2))
    with pytest.raises(TooManyTokens, match=f"{second} and {first}; revoke one"):
        issue(account=nightly, scopes=["read"], now=now)
    issue(account=nightly, scopes=["read"], now=now, purpose="another")
    revoke(token=first, now=now)
    assert issue(account=nightly, scopes=["read"], now=now)


def test_expired_tokens_and_those_of_others_take_no_room(nightly, ada, now):
    for _ in range(2):
        issue(account=nightly, scopes=["read"], now=now, days=1)
    assert issue(account=ada, scopes=["read"], now=now)
    assert issue(account=nightly, scopes=["read"], now=now + dt.timedelta(days=1))


def test_an_owner_has_no_more_than_fifty_live_tokens(nightly, now):
    for number in range(50):
        issue(account=nightly, scopes=["read"], now=now, purpose=str(number))
    with pytest.raises(TooManyTokens, match="50 tokens of this owner"):
        issue(account=nightly, scopes=["read"], now=now, purpose="51")


@pytest.mark.parametrize("purpose", ["", "   ", "x" * 61])
def test_a_token_says_what_it_is_for(nightly, now, purpose):
    with pytest.raises(Refused, match="what the token is for"):
        issue(account=nightly, scopes=["read"], now=now, purpose=purpose)


def test_a_token_has_exactly_one_owner(nightly, ada, now):
    row, _ = issue(account=nightly, scopes=["read"], now=now)
    for owners in ({"person": ada}, {"account": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ApiToken.objects.filter(pk=row.pk).update(**owners)


def test_networks_are_kept_once_each_in_their_shortest_form(nightly, now):
    grant = Grant(frozenset({"read"}), networks=("::ffff:10.0.0.0/104", "10.0.0.0/8", "2001:DB8:0::/32"))
    row, _ = issue_grant(owner=nightly, grant=grant, now=now)
    assert row.networks == ["10.0.0.0/8", "2001:db8::/32"]


def test_a_list_of_networks_has_an_end(nightly, now):
    with pytest.raises(Refused, match="at most 100"):
        issue_grant(owner=nightly, grant=Grant(frozenset({"read"}), networks=tuple(f"10.0.0.{n}" for n in range(101))), now=now)


def test_removing_a_pepper_ends_its_tokens_and_no_others(token, nightly, now, settings):
    settings.TOKEN_PEPPERS = {**settings.TOKEN_PEPPERS, 2: "a-newer-pepper"}
    _, newer = issue(account=nightly, scopes=["read"], now=now)
    settings.TOKEN_PEPPERS = {2: "a-newer-pepper"}
    assert verify(text=newer, now=now)
    with pytest.raises(InvalidToken, match="not known"):
        verify(text=token[1], now=now)


def test_a_leak_ends_the_token_and_all_its_descendants(nightly, now):
    made = [issue(account=nightly, scopes=["read"], now=now, purpose="root")[0]]
    for number in range(3):
        grant = Grant(frozenset({"read"}), f"generation {number}")
        made.append(issue_grant(owner=nightly, grant=grant, now=now, parent=made[-1])[0])
    other, _ = issue(account=nightly, scopes=["read"], now=now, purpose="other")
    assert revoke_family(token=made[1], now=now) == sorted([made[2].key, made[3].key])
    assert set(ApiToken.objects.filter(revoked__isnull=True)) == {made[0], other}


@on_postgres
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_eight_who_ask_at_once_two_get_a_token(nightly, now, at_once):
    answers = at_once(lambda _: issue(account=nightly, scopes=["read"], now=now), range(8))
    assert sorted(type(answer).__name__ for answer in answers) == ["TooManyTokens"] * 6 + ["tuple"] * 2
    assert ApiToken.objects.count() == 2
