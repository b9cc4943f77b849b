import io
import json

import pytest

from evals.importers import Options, Unreadable
from evals.importers.__main__ import main
from evals.importers.table import read, recognises
from evals.submissions import parse
from tests.evals.importers.conftest import FIXTURES, from_file

FOLDER = FIXTURES.parent / "table"
FILE = FOLDER / "runs.csv"
MAPPING = json.loads((FOLDER / "mapping.json").read_text())
SMALL = {
    "producer": {"name": "x"},
    "checkpoint": "model",
    "evaluation": {"fixed": "e@1"},
    "measurements": [{"metric": "m", "value": "score"}],
}


def runs(raw, mapping=SMALL, name="x.csv", **options):
    content = io.BytesIO(raw if isinstance(raw, bytes) else raw.encode())
    return [run for run in read(name, content, Options(mapping=mapping, **options)) if parse(run)]


def test_each_row_is_a_run():
    first, _, third = from_file(FILE, mapping=MAPPING)
    assert (first["external_id"], third["external_id"]) == ("r1", "r,3")
    assert first["measurements"] == [{"metric": "accuracy", "value": 0.25, "stderr": 0.05, "n_tasks": 76}]
    assert first["coverage"] == {"planned": 76, "completed": 76, "scored": 76}
    assert (first["evaluation"], first["started"], first["elicitation"]) == (
        *("cyber-suite@2", "2026-11-22T09:00:00+00:00"),
        {"attested_by": "Ana"},
    )


def test_what_is_no_number_is_unscored_and_a_standard_error_of_zero_says_nothing():
    _, second, third = from_file(FILE, mapping=MAPPING)
    assert second["measurements"] == [{"metric": "accuracy", "value": None, "reason": "unscored"}]
    assert third["measurements"] == [{"metric": "accuracy", "value": 0.5, "n_tasks": 76}]
    assert (second["started"], "started" in third) == ("2026-09-21T14:13:20+00:00", False)


def test_without_an_external_id_the_files_digest_and_the_row_are_the_identity():
    (run,) = runs("model,score\na,1\n")
    digest, _, row = run["external_id"].partition("/")
    assert (len(digest), row) == (64, "2")


def test_the_caller_knows_better_than_the_table():
    (run,) = runs("model,score\na,1\n", checkpoint="c", evaluation="f@2")
    assert (run["checkpoint"], run["evaluation"]) == ("c", "f@2")


def test_json_lines_may_be_nested():
    mapping = {**SMALL, "checkpoint": "run.model", "measurements": [{"metric": "m", "solved": "run.ok", "total": "run.n"}]}
    (run,) = runs('{"run": {"model": "a", "ok": 3, "n": 4}}\n', mapping, "x.jsonl")
    assert run["measurements"] == [{"metric": "m", "solved": 3.0, "total": 4}]


def test_the_delimiter_is_the_mappings_or_the_tabs_of_the_header():
    assert runs("model;score\na;1\n", {**SMALL, "delimiter": ";"})
    assert runs("model\tscore\na, b\t1\n", name="x.csv")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("model,score\na,1\nb,high\n", "row 3, column 'score': 'high' is no number"),
        ("model,score\na,1_0\n", "row 2, column 'score'"),
        ("model,points\na,1\n", "row 2, column 'score': There is no such column; there are: model, points"),
        ('model,score\n"a\nb",1\nc,x\n', "row 4, column 'score'"),
        ("model,score\na,1,2\n", "row 2: It has 3 cells, the header 2"),
        ("model,model\na,1\n", "row 1: The column 'model' stands twice"),
        ("model,score\n", "no row"),
        ('model,score\n"a,1\n', "row 2: It is no table"),
        (b"model,score\na,1\n\xff,2\n", "row 3: It is not UTF-8"),
    ],
)
def test_what_is_wrong_is_refused_with_its_row_and_column(raw, why):
    with pytest.raises(Unreadable, match=why):
        runs(raw)


@pytest.mark.parametrize(
    ("column", "cell", "why"),
    [
        ("started", "yesterday", "is no time"),
        ("n", "1.5", "is no count"),
        ("n", "-1", "is no count"),
        ("started", "2026-11-22T09:00:00", "is no time"),
    ],
)
def test_a_cell_of_the_wrong_kind_is_refused(column, cell, why):
    mapping = {**SMALL, "started": "started", "coverage": {"planned": "n"}}
    cells = {"started": "", "n": "", column: cell}
    with pytest.raises(Unreadable, match=f"row 2, column '{column}': .*{why}"):
        runs(f"model,score,started,n\na,1,{cells['started']},{cells['n']}\n", mapping)


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        (None, "--mapping"),
        ({**SMALL, "colour": "x"}, "'colour' is not known"),
        ({**SMALL, "producer": {}}, "'producer' needs a name"),
        ({**SMALL, "producer": {"name": "x", "version": 4}}, "'producer'"),
        ({**SMALL, "measurements": []}, "'measurements' needs"),
        ({**SMALL, "measurements": [{"value": "score"}]}, "needs a 'metric'"),
        ({**SMALL, "measurements": [{"metric": "m"}]}, "needs 'value'"),
        ({**SMALL, "measurements": [{"metric": "m", "value": 3}]}, "names no column"),
        ({**SMALL, "coverage": {"seen": "n"}}, "'seen' of 'coverage'"),
        ({**SMALL, "provenance": ["n"]}, "'provenance' is no object"),
        ({**SMALL, "status": {"column": "x"}}, "'status' names neither"),
        ({**SMALL, "delimiter": "ab"}, "'delimiter'"),
        ({name: part for name, part in SMALL.items() if name != "checkpoint"}, "'checkpoint' is missing"),
    ],
)
def test_a_mapping_of_another_form_is_refused(mapping, why):
    with pytest.raises(Unreadable, match=why):
        runs("model,score\na,1\n", mapping)


def test_the_program_takes_a_mapping_file():
    out, err = io.StringIO(), io.StringIO()
    assert main([str(FILE), "--mapping", str(FOLDER / "mapping.json")], out, err) == 0
    assert len(json.loads(out.getvalue())) == 3


@pytest.mark.parametrize(
    "head", [b"a,b\n1,2\n", b"a\tb\n1,5\t2\n", b"\n\xef\xbb\xbfa;b\r\n\r\n1;2", b'{"a": 1}', b'{"a": 1}\n{"a": 2}\n{"a"']
)
def test_a_table_is_known_by_its_first_lines(head):
    assert recognises("", head)


@pytest.mark.parametrize(
    "head", [b"", b"\n", b"dear diary", b"Dear John,\nnothing new\n", b"a,b\n", b'{"a": 1}\nb', b"PK\x03\x04,\n,", b"a,\0\n1,2"]
)
def test_other_texts_are_no_tables(head):
    assert not recognises("", head)


def test_a_table_of_one_column_is_known_by_its_name_only():
    assert recognises("RUNS.CSV", b"score\n1\n")
    assert not recognises("x.csv", b"PK\x03\x04")


@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_the_mapping_may_say_which_way_is_more_capable(direction):
    mapping = {**SMALL, "measurements": [{"metric": "m", "value": "score", "direction": direction}]}
    assert runs("model,score\na,1\n", mapping)[0]["measurements"] == [{"metric": "m", "value": 1.0, "direction": direction}]


def test_a_direction_is_no_column():
    with pytest.raises(Unreadable, match="'direction' of the metric 'm'"):
        runs("model,score\na,1\n", {**SMALL, "measurements": [{"metric": "m", "value": "score", "direction": "score"}]})


def test_lines_of_objects_are_read_as_such_whatever_the_file_is_called():
    assert runs('{"model": "a", "score": 1}\n', name="x.csv") == runs('{"model": "a", "score": 1}\n', name="")
