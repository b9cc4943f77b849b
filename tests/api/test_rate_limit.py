import datetime as dt
import logging

import pytest
import redis
from django.db import OperationalError

from accounts.counting import PREFIX, Counted, InDatabase, InRedis
from accounts.models import Tally
from fsf.api.rate_limit import Limiter, Patient, RateLimited, patient
from tests.api.conftest import problem
from tests.conftest import on_postgres
from tests.services import REDIS_URL

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


class InMemory:
    """A counter of one process, which tells how often it was asked."""

    def __init__(self):
        self.asked, self.kept = 0, {}

    def add(self, *, name, number, window, now):
        self.asked += 1
        at = int(now.timestamp() * 1000)
        count, ends = self.kept.get(name, (0, 0))
        self.kept[name] = (count + number, ends) if ends > at else (number, at + window)
        return Counted(*self.kept[name])


def spend(limiter, now, limit=20, name="a"):
    return limiter.spend(kind="token", name=name, limit=limit, now=now)


def let_through(limiter, now, limit=20, tries=50):
    through = 0
    for _ in range(tries):
        try:
            spend(limiter, now, limit)
            through += 1
        except RateLimited:
            pass
    return through


@pytest.mark.parametrize(("limit", "tries"), [(1, 5), (20, 50), (999, 1100), (1000, 1100), (2500, 2600), (120_000, 100)])
def test_exactly_the_limit_gets_through(now, limit, tries):
    assert let_through(Limiter(InMemory()), now, limit, tries) == min(limit, tries)


@pytest.mark.parametrize("limit", [20, 2500])
def test_processes_share_one_limit(now, limit):
    counter = InMemory()
    limiters = [Limiter(counter) for _ in range(3)]
    assert sum(let_through(limiter, now, limit, limit) for limiter in limiters) == limit


def test_a_thousandth_of_the_limit_is_taken_at_a_time(now):
    counter = InMemory()
    let_through(Limiter(counter), now, 120_000, 1200)
    assert (counter.asked, counter.kept["token:a"][0]) == (10, 1200)


def test_once_used_up_the_counter_is_not_asked_again_until_the_window_ends(now):
    counter = InMemory()
    limiter = Limiter(counter)
    let_through(limiter, now, 5, 50)
    assert counter.asked <= 6
    assert let_through(limiter, now + MINUTE, 5, 50) == 5


def test_what_is_left_is_told(now):
    limiter = Limiter(InMemory())
    first, later = spend(limiter, now), spend(limiter, now + dt.timedelta(seconds=59.5))
    assert first.headers() == {"RateLimit-Policy": '"token";q=20;w=60', "RateLimit": '"token";r=19;t=60'}
    assert (later.left, later.seconds) == (18, 1)


def test_a_refusal_says_how_long_to_wait(now):
    limiter = Limiter(InMemory())
    spend(limiter, now, 1)
    with pytest.raises(RateLimited, match="limit of 1 requests a minute") as refused:
        spend(limiter, now + dt.timedelta(seconds=20), 1)
    assert refused.value.headers["Retry-After"] == "40"
    assert refused.value.headers["RateLimit"] == '"token";r=0;t=40'


def test_names_have_limits_of_their_own(now):
    limiter = Limiter(InMemory())
    spend(limiter, now, 1)
    assert spend(limiter, now, 1, name="b").left == 0


def test_what_was_taken_in_a_window_is_not_spent_in_the_next(now):
    counter = InMemory()
    limiter = Limiter(counter)
    spend(limiter, now, 10_000)
    spend(limiter, now + MINUTE, 10_000)
    assert counter.kept["token:a"][0] == 10


class Broken:
    def __init__(self, wrong):
        self.wrong, self.asked = wrong, 0

    def add(self, **_):
        self.asked += 1
        raise self.wrong


@pytest.mark.parametrize("wrong", [redis.ConnectionError("gone"), redis.TimeoutError("slow"), OperationalError("locked")])
def test_where_the_counter_is_away_requests_go_through_with_one_line_in_the_log(now, wrong, caplog):
    counter = Broken(wrong)
    careful = Patient(Limiter(counter))
    with caplog.at_level(logging.WARNING):
        answers = [careful.spend(kind="token", name="a", limit=1, now=now) for _ in range(5)]
    assert (answers, counter.asked, len(caplog.records)) == ([None] * 5, 1, 1)
    assert "not counted" in caplog.text


def test_no_limit_asks_nobody(now):
    counter = Broken(AssertionError)
    assert Patient(Limiter(counter)).spend(kind="token", name="a", limit=0, now=now) is None
    assert counter.asked == 0


@pytest.fixture
def by_redis():
    client = redis.Redis.from_url(REDIS_URL)
    client.delete(PREFIX + "token:a")
    yield InRedis(REDIS_URL)
    client.delete(PREFIX + "token:a")


def fifty(counter, now, at_once):
    """How many of fifty threads a limit of twenty lets through, where each second one is another process."""
    limiters = [Limiter(counter), Limiter(counter)]
    answers = at_once(lambda number: spend(limiters[number % 2], now), range(50))
    assert {type(answer).__name__ for answer in answers} == {"Allowance", "RateLimited"}
    return sum(not isinstance(answer, RateLimited) for answer in answers)


@pytest.mark.redis
def test_of_fifty_threads_exactly_twenty_get_through_by_redis(by_redis, now, at_once):
    assert fifty(by_redis, now, at_once) == 20


def test_of_fifty_threads_exactly_twenty_get_through_by_sqlite(now, at_once, sqlite_file):
    assert fifty(InDatabase(), now, at_once) == 20


@on_postgres
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_fifty_threads_exactly_twenty_get_through_by_postgresql(now, at_once):
    assert fifty(InDatabase(), now, at_once) == 20


@pytest.fixture
def limited(settings):
    """At most three requests a minute of a token, and two wrong tokens of an address, counted in the database."""
    settings.REDIS_URL, settings.RATE_TOKEN, settings.RATE_FAILED = "", 3, 2
    patient.cache_clear()
    yield
    patient.cache_clear()


def test_a_token_over_its_limit_is_answered_429_with_when_to_come_back(pipeline, pipeline_with, limited):
    answers = [pipeline.get("models/") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer["RateLimit"][:11] for answer in answers] == ['"token";r=2', '"token";r=1', '"token";r=0', '"token";r=0']
    body = problem(answers[-1], 429, "rate_limited")
    assert "batch" in body["detail"]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert answers[0]["RateLimit-Policy"] == '"token";q=3;w=60'
    assert pipeline_with("read").get("models/").status_code == 200


def test_over_its_limit_a_token_stores_nothing(pipeline, aurora, small, limited):
    answers = [pipeline.run(3, 12, external_id=str(number)) for number in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert Tally.objects.get().count >= 3


def wrong(client, **more):
    return client.get("/api/v1/runs/", headers={"authorization": "Bearer fsf_dev_wrong"}, **more)


def test_wrong_tokens_from_one_address_are_slowed_and_a_live_one_from_there_is_not(pipeline, limited):
    assert [wrong(pipeline.client).status_code for _ in range(4)] == [401, 401, 429, 429]
    assert wrong(pipeline.client, REMOTE_ADDR="192.0.2.7").status_code == 401
    assert pipeline.get("models/").status_code == 200


def test_behind_our_proxy_the_address_that_it_saw_is_counted(pipeline, limited, settings):
    settings.TRUSTED_PROXIES = 1
    forged = [wrong(pipeline.client, HTTP_X_FORWARDED_FOR=f"10.0.0.{number}, 198.51.100.1") for number in range(3)]
    assert [answer.status_code for answer in forged] == [401, 401, 429]
    assert list(Tally.objects.values_list("name", flat=True)) == ["address:198.51.100.1"]


@pytest.mark.redis
def test_with_redis_no_request_is_counted_in_the_database(pipeline, settings, django_assert_num_queries):
    settings.REDIS_URL, settings.RATE_TOKEN = REDIS_URL, 1000
    patient.cache_clear()
    pipeline.get("models/")
    with django_assert_num_queries(2):  # the token, and the models
        answer = pipeline.get("models/")
    assert answer["RateLimit"].startswith('"token";r=998;')
    assert not Tally.objects.exists()
    patient.cache_clear()


def test_with_redis_away_a_result_is_still_stored(pipeline, aurora, small, settings):
    settings.REDIS_URL, settings.RATE_TOKEN = "redis://127.0.0.1:1/0", 1
    patient.cache_clear()
    answers = [pipeline.run(3, 12, external_id=str(number)) for number in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert "RateLimit" not in answers[0]
    patient.cache_clear()
