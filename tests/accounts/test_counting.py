import datetime as dt

import pytest
import redis

from accounts.counting import PREFIX, Counted, InDatabase, InRedis
from accounts.models import Tally
from tests.conftest import on_postgres
from tests.services import REDIS_URL

WINDOW = 60_000


@pytest.fixture
def in_redis():
    counter = InRedis(REDIS_URL)
    client = redis.Redis.from_url(REDIS_URL)
    client.delete(*[PREFIX + name for name in ("a", "b")])
    yield counter
    client.delete(*[PREFIX + name for name in ("a", "b")])


@pytest.fixture(params=["in_database", pytest.param("in_redis", marks=pytest.mark.redis)])
def counter(request, db):
    return InDatabase() if request.param == "in_database" else request.getfixturevalue("in_redis")


def add(counter, now, name="a", number=1, window=WINDOW):
    return counter.add(name=name, number=number, window=window, now=now)


def ends(counted, now):
    return round(counted.ends / 1000 - now.timestamp())


def test_a_window_begins_with_its_first_request_and_keeps_its_end(counter, now):
    first, second = add(counter, now), add(counter, now, number=5)
    assert (first.count, second.count) == (1, 6)
    assert (ends(first, now), ends(second, now)) == (60, 60)


def test_names_are_counted_apart(counter, now):
    assert [add(counter, now, name).count for name in ("a", "b", "a")] == [1, 1, 2]


@pytest.mark.django_db
def test_when_a_window_has_ended_the_next_request_begins_another(now):
    counter = InDatabase()
    add(counter, now, number=9)
    just_before, at_the_end = now + dt.timedelta(seconds=59.99), now + dt.timedelta(seconds=60)
    assert add(counter, just_before).count == 10
    again = add(counter, at_the_end)
    assert (again.count, ends(again, at_the_end)) == (1, 60)


@pytest.mark.redis
def test_redis_forgets_a_window_by_itself(in_redis, now):
    add(in_redis, now, window=40)
    client = redis.Redis.from_url(REDIS_URL)
    assert 0 < client.pttl(PREFIX + "a") <= 40
    client.persist(PREFIX + "a")  # even a key that lost its end gets one again
    add(in_redis, now, window=40)
    assert 0 < client.pttl(PREFIX + "a") <= 40


@pytest.mark.django_db
def test_counting_is_one_statement_and_a_new_window_sweeps_old_ones(now, django_assert_num_queries):
    counter = InDatabase()
    add(counter, now - dt.timedelta(hours=2), "old")
    add(counter, now - dt.timedelta(minutes=30), "recent")
    with django_assert_num_queries(2):
        add(counter, now)
    with django_assert_num_queries(1):
        add(counter, now)
    assert set(Tally.objects.values_list("name", "count")) == {("recent", 1), ("a", 2)}


def test_a_redis_that_is_not_there_is_told_at_once(now):
    with pytest.raises(redis.RedisError):
        add(InRedis("redis://127.0.0.1:1/0"), now)


def counts(counter, now, at_once):
    return sorted(counted.count for counted in at_once(lambda _: add(counter, now), range(50)))


@pytest.mark.redis
def test_fifty_threads_are_counted_one_by_one_in_redis(in_redis, now, at_once):
    assert counts(in_redis, now, at_once) == list(range(1, 51))


@on_postgres
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_fifty_threads_are_counted_one_by_one_in_postgresql(now, at_once):
    assert counts(InDatabase(), now, at_once) == list(range(1, 51))


@pytest.mark.django_db
def test_fifty_threads_are_counted_one_by_one_in_sqlite(now, at_once, sqlite_file):
    assert counts(InDatabase(), now, at_once) == list(range(1, 51))
    assert add(InDatabase(), now) == Counted(51, int(now.timestamp() * 1000) + WINDOW)
