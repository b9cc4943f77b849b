"""Which lines judge a run, and that lines kept in memory are never out of date."""

import datetime as dt
from operator import attrgetter

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fsf.management.commands.load_framework import load_with_plans
from tests.conftest import FIXTURES
from thresholds import library
from thresholds.governing import governing, governs, in_force, line_facts, lines_at, lines_for, lines_of
from thresholds.models import Framework, Threshold
from thresholds.taken import groups_in

DAY = dt.date(2026, 1, 1)


def version(number, day):
    return Framework(slug="gdm-fsf", version=number, effective_from=day)


def small_again(number, day, alert):
    """The small framework in another version with another alert line."""
    content = library.read_file(FIXTURES / "small-1.0.yaml")
    about = msgspec.structs.replace(content.framework, version=number, effective_from=day)
    (level,) = content.levels
    lines = [msgspec.structs.replace(line, value=alert if line.kind == "alert" else line.value) for line in level.thresholds]
    return msgspec.structs.replace(content, framework=about, levels=[msgspec.structs.replace(level, thresholds=lines)])


@pytest.mark.parametrize(
    ("on", "chosen"),
    [(dt.date(2024, 1, 1), "1"), (dt.date(2025, 2, 4), "2"), (dt.date(2025, 9, 21), "2"), (dt.date(2025, 9, 22), "3")],
)
def test_the_newest_version_effective_by_the_day_governs_or_else_the_first(on, chosen):
    versions = [version("3", dt.date(2025, 9, 22)), version("1", dt.date(2024, 5, 17)), version("2", dt.date(2025, 2, 4))]
    assert [framework.version for framework in in_force(versions, on)] == [chosen]


def test_of_two_versions_of_one_day_the_one_published_later_governs():
    first, second = (version(number, DAY) for number in "12")
    first.published, second.published = (dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (1, 2))
    assert in_force([first, second], DAY) == in_force([second, first], DAY) == [second]


@pytest.mark.django_db
def test_lines_come_by_level_and_kind(small):
    evaluation = Threshold.objects.first().evaluation
    assert [(line.kind, line.value) for line in lines_for(evaluation_id=evaluation.pk, on=DAY)] == [("alert", 0.2), ("critical", 0.5)]
    assert lines_for(evaluation_id=evaluation.pk + 1, on=DAY) == []


@pytest.mark.django_db
def test_a_framework_governs_its_own_developers_models_whatever_the_spelling(small):
    assert (governs(small, "NORTHWIND"), governs(small, "Eastwind")) == (True, False)


@pytest.mark.django_db
def test_a_draft_reads_nothing_and_governs_nothing(thawed, small):
    Framework.objects.update(state="draft")
    assert lines_for(evaluation_id=Threshold.objects.first().evaluation_id, on=DAY) == governing("Northwind", DAY) == []


@pytest.mark.django_db
def test_the_lines_of_a_version_are_read_once(small):
    first = lines_of(small)
    with CaptureQueriesContext(connection) as captured:
        (framework,) = governing("Northwind", DAY)
        assert lines_of(framework) == first
        assert {line.level.framework.key for line in first} == {"small-1.0"}
        assert {line.evaluation.key for line in first} == {"ctf@1"}
    assert len(captured) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("changed", [{"digest": "0" * 64}, {"loaded": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}])
def test_lines_kept_for_another_row_of_the_same_number_are_read_again(thawed, small, changed):
    lines_of(small)
    Threshold.objects.filter(kind="alert").update(value=0.1)
    Framework.objects.update(**changed)
    assert sorted(map(attrgetter("value"), lines_of(Framework.objects.get()))) == [0.1, 0.5]


@pytest.mark.django_db
def test_what_follows_from_lines_is_kept_as_long_as_they_are(thawed, small):
    first, level = groups_in(small), small.levels.get()
    assert groups_in(Framework.objects.get()) is first
    assert [fact.required for fact in line_facts(level)] == [True, True]
    Threshold.objects.filter(kind="alert").update(value=0.1, required=False)
    Framework.objects.update(digest="0" * 64)
    ((group,),) = groups_in(Framework.objects.get()).values()
    assert [(line.kind, line.value) for line, _ in group.drawn] == [("alert", 0.1), ("critical", 0.5)]
    assert group.lines == sorted(lines_at(small.levels.get()), key=attrgetter("kind"))
    assert sorted((fact.kind, fact.required) for fact in group.needs.lines) == [("alert", False), ("critical", True)]


@pytest.mark.django_db
def test_a_post_is_judged_by_a_version_loaded_after_the_post_before_it(pipeline, small, aurora, ada):
    before = pipeline.run(6, 200, external_id="before").json()["verdicts"]
    load_with_plans(small_again("2.0", dt.date(2021, 1, 1), alert=0.03))
    after = pipeline.run(6, 200, external_id="after").json()["verdicts"]
    assert [(verdict["level"], verdict["value"], verdict["state"]) for verdict in (before[0], after[0])] == [
        ("small-1.0.uplift", 0.2, "clear"),
        ("small-2.0.uplift", 0.03, "alert"),
    ]
