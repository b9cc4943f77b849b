"""Several files of one request."""

import io

import pytest

from evals.importers import Options, Unreadable, several
from evals.importers.bounded import Reading
from evals.importers.registry import Unrecognised
from evals.importers.several import NotReached, read_several
from tests.evals.importers.conftest import eval_log


def read(*contents, **more):
    return [*read_several([(f"{number}.eval", io.BytesIO(each)) for number, each in enumerate(contents)], Options(checkpoint="c"), **more)]


def test_each_is_read_by_itself_in_order():
    first, diary, cut, last = read(eval_log(), b"dear diary", eval_log()[:-9], eval_log())
    assert [len(each.runs) for each in (first, last)] == [1, 1]
    assert (type(diary), type(cut)) == (Unrecognised, Unreadable)
    assert str(cut).startswith("2.eval")


def test_a_fault_of_ours_is_one_files_too(monkeypatch):
    monkeypatch.setattr(several, "read_bounded", lambda *_: 1 / 0)
    assert [type(each) for each in read(b"", b"")] == [ZeroDivisionError] * 2


def test_once_the_time_is_up_no_further_file_is_begun():
    ticks = iter([0.0, 1.0, several.SECONDS + 1])
    assert [type(each) for each in read(*[eval_log()] * 3, clock=lambda: next(ticks))] == [Reading, Reading, NotReached]


@pytest.mark.parametrize(("most", "kinds"), [(1, [Reading, NotReached, NotReached]), (2, [Reading, Reading, NotReached])])
def test_once_there_are_many_runs_no_further_file_is_begun(monkeypatch, most, kinds):
    monkeypatch.setattr(several, "MOST_RUNS", most)
    assert [type(each) for each in read(*[eval_log()] * 3)] == kinds
