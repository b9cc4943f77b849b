import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from evals.catalogue import register_checkpoint
from tests.conftest import NIGHTLY, on_postgres
from thresholds import places
from thresholds.models import CapabilityLevel, LevelStatus
from thresholds.places import locked_places, rows_of
from thresholds.quickly import write_rows

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


@on_postgres
@pytest.mark.postgres
def test_rows_are_brought_up_to_date_at_once_each_with_its_own(grid, now):
    rows = list(locked_places(grid, now).values())[:5]
    for number, row in enumerate(rows):
        row.message, row.point, row.taken, row.readings = f"message {number}", number / 8, now, {"a": [number]}
    write_rows(rows, ("message", "point", "taken", "readings"))
    kept = {row.pk: (row.message, row.point, row.taken, row.readings) for row in LevelStatus.objects.filter(taken__isnull=False)}
    assert kept == {row.pk: (row.message, row.point, row.taken, row.readings) for row in rows}


@on_postgres
@pytest.mark.postgres
@pytest.mark.parametrize("wrong", [{"state": "c" * 13}, {"state": "unheard"}, {"state": None}])
def test_a_row_brought_up_to_date_with_what_its_column_cannot_hold_is_refused_and_not_cut(grid, now, wrong):
    (row, *_) = locked_places(grid, now).values()
    vars(row).update(wrong)
    with pytest.raises(DatabaseError), transaction.atomic():
        write_rows([row], ("state",))
    assert LevelStatus.objects.get(pk=row.pk).state == "no_result"


def test_one_query_finds_any_pairs(grid, now):
    locked_places(grid, now)
    wanted = dict(list(grid.items())[1:4])
    with CaptureQueriesContext(connection) as captured:
        assert set(rows_of(wanted).values_list("checkpoint", "level")) == wanted.keys()
    assert len(captured) == 1
