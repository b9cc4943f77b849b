import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evals.catalogue import register_checkpoint
from tests.conftest import NIGHTLY
from thresholds import places
from thresholds.models import CapabilityLevel, LevelStatus
from thresholds.places import locked_places, rows_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def grid(enact, aurora, now, monkeypatch):
    """Two checkpoints at three levels, by place."""
    monkeypatch.setattr(places, "_known", set())
    enact(levels=[{}, {"slug": "second"}, {"slug": "third"}])
    other = register_checkpoint(model=aurora.model, fields={"slug": "aurora-2", "name": "Aurora 2"}, actor=NIGHTLY, now=now)
    levels = CapabilityLevel.objects.select_related("framework").order_by("pk")
    return {(each.pk, level.pk): (each, level) for each in (aurora, other) for level in levels}


def test_rows_are_made_for_the_wanted_pairs_and_no_others(grid, now):
    wanted = dict(list(grid.items())[1:4])  # of one checkpoint the last two levels, of the other the first
    assert locked_places(wanted, now).keys() == wanted.keys()
    assert set(LevelStatus.objects.values_list("checkpoint", "level")) == wanted.keys()


def test_rows_that_are_there_are_locked_in_one_statement_and_in_one_order(grid, now):
    made = locked_places(grid, now)
    with CaptureQueriesContext(connection) as captured:
        found = locked_places(dict(reversed(grid.items())), now)
    assert len(captured) == 1
    assert found == made
    assert list(found) == sorted(grid, key=lambda place: place[::-1])


def test_a_row_that_was_seen_and_rolled_back_is_made_again(grid, now):
    places._known.update(grid)
    assert locked_places(grid, now).keys() == grid.keys()


def test_one_query_finds_any_pairs(grid, now):
    locked_places(grid, now)
    wanted = dict(list(grid.items())[1:4])
    with CaptureQueriesContext(connection) as captured:
        assert set(rows_of(wanted).values_list("checkpoint", "level")) == wanted.keys()
    assert len(captured) == 1
