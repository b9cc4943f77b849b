"""Whatever happens on the way, a run that was posted is stored once: replies get lost, many post the same, the server is killed."""

import pytest

from bench.faults.crowding import THREADS, post_one_run
from bench.faults.dropping import differ, drop_replies
from bench.faults.killing import kill_amid
from bench.faults.ledger import Ledger, compare
from bench.faults.product import product_on
from bench.faults.proxy import Reply
from tests import services

WHOLE = {"wrong": {"without a receipt": 0}, "broken": None}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def product(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", services.POSTGRES_URL)
        with product_on(request.param, tmp_path_factory.mktemp("product")) as product:
            yield product


def test_replies_dropped_after_the_commit_lose_and_double_nothing_and_every_repeat_is_answered_alike(product):
    found = drop_replies(product, posts=200, share=0.1)
    assert found.holds, str(found)
    assert found.dropped > 5
    assert found.compared.acknowledged == found.posts


@pytest.mark.parametrize("keys", [1, THREADS])
def test_many_threads_that_post_one_run_store_one_row_and_hear_one_answer(product, keys):
    found = post_one_run(product, name=f"crowd-{keys}", keys=keys)
    assert found.holds, str(found)


def test_a_server_that_is_killed_amid_posts_and_batches_keeps_each_of_them_once(product):
    found = kill_amid(product, posts=240, kills=2)
    assert found.holds, str(found)
    assert found.kills > 0
    assert found.batched > 0


def test_the_comparison_tells_what_was_lost_doubled_renamed_or_made_up():
    rows = {"runs": {"b": [2, 3], "c": [4], "d": [5]}, **WHOLE}
    found = compare(["a", "b", "c"], [("c", 9)], rows)
    assert (found.lost, found.double, found.renamed, found.strange) == (("a",), ("b",), ("c",), ("d",))
    assert not found.holds


@pytest.mark.parametrize("rows", [{**WHOLE, "wrong": {"without a receipt": 1}}, {**WHOLE, "broken": 3}])
def test_the_comparison_tells_a_run_that_is_not_whole(rows):
    assert compare(["a"], [("a", 1)], {"runs": {"a": [1]}, **WHOLE}).holds
    assert not compare(["a"], [("a", 1)], {"runs": {"a": [1]}, **rows}).holds


def test_a_ledger_is_read_as_it_was_written(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    ledger.note("über/1", 7)
    ledger.note("2", 8)
    assert ledger.read() == [("über/1", 7), ("2", 8)]


def test_a_repeat_may_say_that_it_is_one_and_nothing_else():
    first, again, other = (
        Reply(201, {}, body, dropped=False) for body in (b'{"id": 1, "replayed": false}', b'{"id": 1, "replayed": true}', b'{"id": 2}')
    )
    assert [differ([first, again]), differ([first, other]), differ([first, Reply(409, {}, b"{}", dropped=False)])] == [0, 1, 0]
