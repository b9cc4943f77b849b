from contextlib import suppress

import pytest
from django.db import OperationalError, connection, transaction

from crises import replies
from crises.models import KeptReply
from crises.replies import InFlight, Key, KeyReused, Reply, find_reply, held, held_in_one_transaction, keep_reply
from tests.conftest import on_postgres

KEY = Key("service:1", "k")
HOLDS = pytest.mark.parametrize("hold", [held, held_in_one_transaction])


@pytest.mark.django_db
def test_what_was_answered_is_found_again_for_the_same_request_only(now):
    assert find_reply(key=KEY, fingerprint="a") is None
    keep_reply(key=KEY, fingerprint="a", reply=Reply(201, b'{"id": 1}', {"Location": "/1/"}), now=now)
    assert find_reply(key=KEY, fingerprint="a") == Reply(201, b'{"id": 1}', {"Location": "/1/"})
    with pytest.raises(KeyReused, match="another address or body"):
        find_reply(key=KEY, fingerprint="b")
    assert find_reply(key=Key("service:2", "k"), fingerprint="b") is None


@pytest.mark.django_db
def test_the_first_reply_stays(now):
    for status in (201, 200):
        keep_reply(key=KEY, fingerprint="a", reply=Reply(status, b"{}"), now=now)
    assert [row.status for row in KeptReply.objects.all()] == [201]


@pytest.mark.django_db(transaction=True)
@HOLDS
def test_a_key_is_held_by_one_at_a_time(hold):
    with hold(KEY):
        with pytest.raises(InFlight), hold(KEY):
            pass
        with held(Key("service:2", "k")), held(Key("service:1", "l")):
            pass
    with hold(KEY):
        pass


@pytest.mark.django_db(transaction=True)
@HOLDS
def test_a_key_is_let_go_where_the_work_fails(hold):
    with pytest.raises(ZeroDivisionError), hold(KEY):
        raise ZeroDivisionError
    with hold(KEY):
        pass


@on_postgres
@pytest.mark.django_db(transaction=True)
@HOLDS
def test_another_process_holds_a_key_too(hold, at_once, monkeypatch):
    monkeypatch.setattr(replies, "_held", type("Forgetful", (set,), {"add": lambda *_: None})())  # as if each thread were a process

    def attempt(_):
        with pytest.raises(InFlight), hold(KEY):
            pass

    with hold(KEY):
        assert at_once(attempt, [1, 2]) == [None, None]
    assert at_once(lambda _: hold(KEY).__enter__() or connection.close(), [1]) == [None]


@pytest.mark.django_db(transaction=True)
def test_the_work_and_its_reply_are_kept_together_or_not_at_all(now):
    with suppress(OperationalError), held_in_one_transaction(KEY):
        keep_reply(key=KEY, fingerprint="a", reply=Reply(201, b"{}"), now=now)
        raise OperationalError("the disk is full")
    assert not KeptReply.objects.exists()
    with held_in_one_transaction(KEY):
        assert connection.in_atomic_block
        keep_reply(key=KEY, fingerprint="a", reply=Reply(201, b"{}"), now=now)
    assert KeptReply.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_has_an_identity_of_its_own_brings_its_own_transactions():
    with held(KEY):
        assert not transaction.get_connection().in_atomic_block
