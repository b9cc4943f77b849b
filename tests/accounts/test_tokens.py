import datetime as dt

import pytest

from accounts.models import ApiToken, ServiceAccount
from accounts.roles import Kind, Refused, Role
from accounts.tokens import SCOPES, InvalidToken, _checksum, issue, revoke, verify

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
    assert verify(text=text, now=now) == row
    assert text.startswith(f"fsf_dev_{row.key}_")


def test_neither_the_secret_nor_the_text_is_stored(token):
    row, text = token
    stored = " ".join(str(value) for value in ApiToken.objects.values_list().get(pk=row.pk))
    assert text.split("_")[3][:20] not in stored


def test_two_tokens_never_look_alike(nightly, now):
    made = [issue(account=nightly, scopes=["read"], now=now)[1] for _ in range(20)]
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
    assert verify(text=text, now=now) == row
    assert verify(text=token[1], now=now) == token[0]


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
