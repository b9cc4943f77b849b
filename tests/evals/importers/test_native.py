import io
import json

import pytest

from evals.importers import Options, Unreadable
from evals.importers.native import read, recognises
from evals.importers.registry import recognise
from tests.conftest import run_body

RUN = run_body(3, 12)
OTHER = run_body(4, 12, external_id="2")
BOM = b"\xef\xbb\xbf"


def runs(raw, **options):
    return list(read("x", io.BytesIO(raw), Options(**options)))


def lines(*bodies):
    return "\n".join(json.dumps(body) for body in bodies).encode()


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (json.dumps(RUN).encode(), [RUN]),
        (BOM + json.dumps(RUN, indent=2).encode(), [RUN]),
        (json.dumps([RUN, OTHER], indent=2).encode(), [RUN, OTHER]),
        (lines(RUN, OTHER) + b"\n\n", [RUN, OTHER]),
        (BOM + lines(RUN, OTHER), [RUN, OTHER]),
    ],
)
def test_one_run_an_array_and_one_a_line_are_read(raw, found):
    assert recognises("", raw)
    assert recognise("x", raw).NAME == "native"
    assert runs(raw) == found


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b'{"producer": 1, "external_id": 2}', b'producer,"external_id","checkpoint","evaluation"']
)
def test_other_files_are_not_taken_for_runs(raw):
    assert not recognises("", raw)


def test_the_caller_knows_better_than_the_file():
    (found,) = runs(json.dumps(RUN).encode(), checkpoint="aurora-2", evaluation="ctf@2")
    assert (found["checkpoint"], found["evaluation"]) == ("aurora-2", "ctf@2")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (lines(RUN, {**OTHER, "colour": 1}), "line 2 /colour"),
        (json.dumps([RUN, {**OTHER, "producer": None}]).encode(), "run 2 /producer"),
        (json.dumps([RUN, 3]).encode(), "run 2: It is a JSON int"),
        (json.dumps({**RUN, "provenance": []}).encode(), "the run /provenance"),
        (lines(RUN, RUN)[:-5], "line 2: It is not JSON"),
        (json.dumps([RUN, RUN]).encode()[:-5], "cut off"),
        (b'{"producer": {"name": NaN}, "external_id": "1", "checkpoint": "c", "evaluation": "e"}', "/producer/name"),
    ],
)
def test_what_is_no_run_is_refused_with_its_place(raw, why):
    with pytest.raises(Unreadable, match=why):
        runs(raw)
