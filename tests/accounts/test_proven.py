import datetime as dt

import pytest

from accounts.models import ServiceAccount
from accounts.proven import prove_from_memory
from accounts.tokens import _checksum, issue, verify

pytestmark = pytest.mark.django_db


@pytest.fixture
def text(now):
    """A token that this process has proven."""
    _, text = issue(account=ServiceAccount.objects.create(name="nightly", created=now), scopes=["read"], now=now)
    for moment in (now, now + dt.timedelta(seconds=1)):  # the first use is written down
        verify(text=text, now=moment)
    return text


def test_a_token_is_proven_as_it_was_by_its_row(text, now):
    proof = prove_from_memory(text=text, now=now, address=None)
    assert (proof.bearer, proof.row["key"]) == (verify(text=text, now=now), text.split("_")[2])


@pytest.mark.parametrize("other", ["{0}x", "x{0}", "{1}_{2}", "{0[0]}", "", "fsf_dev_{2}_"])
def test_nothing_but_the_very_text_is_proven_from_memory(text, now, other):
    start, _, end = text.rpartition("_")
    given = other.format(text, start, end[:-7] + _checksum(f"{start}_x"))
    assert prove_from_memory(text=given, now=now, address=None) is None


def test_another_beginning_is_left_to_the_rows_though_its_checksum_holds(text, now):
    body = text[:-7].replace("fsf_dev_", "fsf_live_")
    assert prove_from_memory(text=body + _checksum(body), now=now, address=None) is None
    assert verify(text=body + _checksum(body), now=now)


def test_a_pepper_that_was_taken_out_or_changed_proves_nothing(text, now, settings):
    ((number, pepper),) = settings.TOKEN_PEPPERS.items()
    for peppers in ({number + 1: pepper}, {number: pepper + "x"}):
        settings.TOKEN_PEPPERS = peppers
        assert prove_from_memory(text=text, now=now, address=None) is None


def test_a_token_is_not_proven_once_it_has_expired_or_its_use_is_to_be_written_down(text, now):
    ends = verify(text=text, now=now).expires
    for seconds in (20, 10):
        verify(text=text, now=ends - dt.timedelta(seconds=seconds))
    proofs = [prove_from_memory(text=text, now=ends + dt.timedelta(seconds=late), address=None) for late in (-1, 0, 39)]
    assert [proof is not None for proof in proofs] == [True, False, False]
    assert prove_from_memory(text=text, now=ends + dt.timedelta(minutes=2), address=None) is None
