"""Which connection a pool gives out."""

import threading

import pytest
from django.db import connection, connections

from database.asking import is_quick
from database.postgresql.base import DatabaseWrapper


@pytest.fixture
def backend():
    """Another way to the tests' own database, with a pool, as the server has it."""
    if not is_quick():
        pytest.skip("PostgreSQL's own way")
    own = connections.settings["default"]
    options = {**own["OPTIONS"], "pool": {"min_size": 2, "max_size": 2}}
    made = DatabaseWrapper({**own, "OPTIONS": options, "NAME": connection.settings_dict["NAME"]}, alias="pooled")
    made.pool.open(wait=True)
    yield made
    made.close()
    made.close_pool()


def number(backend):
    """The server process that answers; the connection goes back to the pool."""
    with backend.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found = cursor.fetchone()[0]
    backend.close()
    return found


@pytest.mark.django_db
def test_the_connection_used_last_is_given_out_next(backend):
    assert len({number(backend) for _ in range(4)}) == 1


@pytest.mark.django_db
def test_a_connection_that_was_lost_while_it_lay_unused_is_not_given_out(backend, monkeypatch):
    lost = number(backend)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [lost])
    monkeypatch.setattr("database.postgresql.base.SURE", 0.0)
    assert number(backend) != lost


@pytest.mark.django_db
def test_two_who_come_at_once_get_two_connections(backend):
    backend.ensure_connection()
    with backend.pool.connection() as other:
        assert other.info.backend_pid != backend.connection.info.backend_pid
    kept = backend.connection.info.backend_pid
    backend.close()
    assert number(backend) == kept


@pytest.mark.django_db
def test_threads_that_come_first_together_share_one_pool(backend):
    found = []
    threads = [threading.Thread(target=lambda: found.append(backend.pool._pool)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert len(found[0]) == 2
