import pytest

from evals.models import EvalResult, EvalRun, Evaluation
from thresholds import decided
from thresholds.decided import said
from thresholds.statistics import InvalidMeasurement

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines(small):
    return sorted(decided_lines(small), key=lambda line: line.kind)


def decided_lines(small):
    return [line for level in small.levels.all() for line in level.thresholds.select_related("level__framework", "evaluation")]


def run(evaluation=None, **more):
    return EvalRun(evaluation=evaluation or Evaluation.objects.get(), **{"elicitation": {"attested_by": "Ben"}, **more})


def counts(solved, total=100, **more):
    return EvalResult(metric="solved", solved=solved, total=total, **more)


def test_what_was_decided_once_is_found_again(lines):
    assert said(run(), counts(4), lines) is said(run(external_id="other", complete=True), counts(4), lines)


@pytest.mark.parametrize(
    ("more", "measured"),
    [
        ({}, {"solved": 5}),
        ({}, {"solved": 4, "total": 90}),
        ({}, {"solved": 4, "n_tasks": 50}),
        ({"errored": 1}, {"solved": 4}),
        ({"planned": 120}, {"solved": 4}),
        ({"limit_hit": 2}, {"solved": 4}),
        ({"elicitation": {"attested_by": "Ada"}}, {"solved": 4}),
        ({"elicitation": {}}, {"solved": 4}),
    ],
)
def test_what_differs_in_anything_is_decided_anew(lines, more, measured):
    first, other = said(run(), counts(4), lines), said(run(**more), counts(**measured), lines)
    assert (first.lines, first.counted, first.message) != (other.lines, other.counted, other.message)


@pytest.mark.parametrize("declared", [{"validity": [{"flag": "saturated"}]}, {"n_tasks": 50}, {"icc_family": 1.0}, {"refusals": "failed"}])
def test_what_an_evaluation_declares_counts(lines, declared):
    first, evaluation = said(run(), counts(4), lines), Evaluation.objects.get()
    for name, value in declared.items():
        setattr(evaluation, name, value)
    assert said(run(evaluation), counts(4), lines) is not first


def test_what_cannot_be_judged_is_refused_each_time(lines):
    for _ in range(2):
        with pytest.raises(InvalidMeasurement):
            said(run(), EvalResult(metric="solved", value=2.0), lines)


CHANGES = [{"value": 0.03}, {"policy": "confirmed"}, {"margin": 0.19}, {"illustrative": True}, {"confidence": 0.6}]


@pytest.mark.parametrize("changed", CHANGES)
def test_what_a_line_says_counts(lines, changed):
    first = said(run(), counts(4), lines)
    for name, value in changed.items():
        setattr(lines[0], name, value)
    assert said(run(), counts(4), lines).lines != first.lines


def test_listed_tasks_are_decided_each_time_and_alike(lines):
    tasks = [{"id": str(n), "solved": int(n < 4), "attempts": 1} for n in range(100)]
    first, again = (said(run(), counts(None, None, tasks=tasks), lines) for _ in range(2))
    assert first == again
    assert first is not again


def test_no_more_is_kept_than_has_room(lines, monkeypatch):
    monkeypatch.setattr(decided, "MOST", 3)
    for solved in range(9):
        assert said(run(), counts(solved), lines).lines[0]["point"] == solved / 100
    assert len(decided._kept) <= 3
