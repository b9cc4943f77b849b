"""Group commit, with stand-ins for the two ways of storing: who is stored with whom, and that everyone gets its own outcome."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from threading import Event, Lock

import pytest

from fsf.api import gathering
from fsf.api.gathering import Gathering

COMPANY = 9


class Refusal(Exception):
    pass


class Ways:
    """Two ways that tell what was done together, and that can be held up."""

    def __init__(self):
        self.groups, self.lone, self.lock = [], [], Lock()
        self.open, self.begun = Event(), Event()
        self.open.set()
        self.poison = set()

    def together(self, posts):
        self.begun.set()
        self.open.wait(10)
        with self.lock:
            self.groups.append(list(posts))
        if self.poison & set(posts):
            raise RuntimeError("one of them is poisoned")
        return [Refusal(post) if post % 2 else f"answer {post}" for post in posts]

    def alone(self, post):
        self.begun.set()
        self.open.wait(10)
        with self.lock:
            self.lone.append(post)
        if post in self.poison:
            raise Refusal(post)
        return f"alone {post}"


@pytest.fixture
def ways():
    return Ways()


@pytest.fixture
def queue(ways):
    return Gathering(ways.together, ways.alone)


@pytest.fixture
def crowd(ways, queue):
    """Posts 0 at once and, while that is held up, the others, who must wait for it."""

    def crowd(company=COMPANY):
        def post(number):
            try:
                return queue.receive(number)
            except Refusal as refusal:
                return refusal

        ways.open.clear()
        with ThreadPoolExecutor(company + 1) as pool:
            first = pool.submit(post, 0)
            ways.begun.wait(10)
            rest = [pool.submit(post, number) for number in range(1, company + 1)]
            while len(queue._queue) < company:
                time.sleep(0.001)
            ways.open.set()
            return [each.result(timeout=10) for each in (first, *rest)]

    return crowd


def test_a_lone_post_goes_at_once_and_alone(ways, queue):
    assert (queue.receive(4), ways.groups, ways.lone) == ("alone 4", [], [4])


def test_those_who_came_meanwhile_are_stored_together_and_each_gets_its_own_outcome(ways, crowd):
    first, *rest = crowd()
    assert (first, ways.lone, [sorted(group) for group in ways.groups]) == ("alone 0", [0], [list(range(1, COMPANY + 1))])
    assert [str(each) for each in rest] == [str(number) if number % 2 else f"answer {number}" for number in range(1, COMPANY + 1)]


def test_no_group_is_larger_than_the_most(ways, crowd, monkeypatch):
    monkeypatch.setattr(gathering, "MOST", 4)
    outcomes = crowd()
    assert len(outcomes) == COMPANY + 1
    assert [len(group) for group in ways.groups] == [4, 4]
    assert sorted(chain(ways.lone, *ways.groups)) == list(range(COMPANY + 1))


def test_a_poisoned_post_fails_alone(ways, crowd):
    ways.poison = {3}
    outcomes = crowd()
    assert [str(each) for each in outcomes] == ["3" if number == 3 else f"alone {number}" for number in range(COMPANY + 1)]
    assert sorted(ways.lone) == list(range(COMPANY + 1))


def test_a_refusal_of_a_lone_post_is_raised_and_the_next_is_served(ways, queue):
    ways.poison = {0}
    with pytest.raises(Refusal):
        queue.receive(0)
    assert queue.receive(2) == "alone 2"


def test_the_end_of_a_leading_thread_leaves_nobody_waiting(ways, queue, crowd, monkeypatch):
    """A thread that is told to end in the middle of the work of others hands the lead on; they go alone."""
    plain = ways.together

    def end(posts):
        plain(posts)
        ways.together = plain
        raise SystemExit

    queue._together = end
    with pytest.raises(SystemExit):
        crowd()
    while len(ways.lone) < COMPANY:
        time.sleep(0.001)
    queue._together = plain
    assert (queue._busy, len(queue._queue)) == (False, 0)
    assert queue.receive(100) == "alone 100"


def test_who_waits_too_long_goes_alone(ways, queue, monkeypatch):
    monkeypatch.setattr(gathering, "PATIENCE", 0.02)
    queue._busy = True  # by a thread that is gone
    assert (queue.receive(8), len(queue._queue)) == ("alone 8", 0)


def test_nothing_is_lost_in_a_long_rush(ways, queue):
    done = Lock(), []

    def rush(client):
        for number in range(50):
            post = 2 * (client * 1000 + number)
            outcome = queue.receive(post)
            with done[0]:
                done[1].append((post, outcome.split()[1]))

    threads = [threading.Thread(target=rush, args=(client,)) for client in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(done[1]) == 400
    assert all(str(post) == answered for post, answered in done[1])
    assert sorted(chain(ways.lone, *ways.groups)) == sorted(post for post, _ in done[1])
    assert queue._busy is False


def test_who_was_stored_with_others_is_waited_for_the_next_time(ways, queue, crowd, monkeypatch):
    crowd()
    monkeypatch.setattr(gathering, "LINGER", 5)
    with ThreadPoolExecutor(COMPANY) as pool:
        again = []
        for number in range(COMPANY):
            again.append(pool.submit(queue.receive, number * 2))
            time.sleep(0.005)
        assert [each.result(timeout=20) for each in again] == [f"answer {number * 2}" for number in range(COMPANY)]
    assert sorted(ways.groups[-1]) == [number * 2 for number in range(COMPANY)]


def test_who_comes_alone_waits_for_nobody(ways, queue, monkeypatch):
    monkeypatch.setattr(gathering, "LINGER", 3600)
    assert [queue.receive(number) for number in (2, 4)] == ["alone 2", "alone 4"]


def test_of_those_who_stay_away_one_fewer_is_waited_for_each_time(ways, queue, crowd, monkeypatch):
    crowd()
    monkeypatch.setattr(gathering, "LINGER", 0.01)
    for _ in range(COMPANY - 1):
        assert queue.receive(2) == "alone 2"
    monkeypatch.setattr(gathering, "LINGER", 3600)
    assert queue.receive(4) == "alone 4"
