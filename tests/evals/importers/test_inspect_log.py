"""Lines of samples, read at once and one by one."""

import json

import pytest

from evals.importers.inspect_log import read_sample, read_samples
from tests.evals.importers.conftest import LINES

ALIKE = {
    "as written": LINES,
    "more than is known": [{**line, "more": [1, {"a": None}]} for line in LINES],
    "without scores": [{"id": 1}, {"id": "1", "epoch": 2, "error": {"message": "x"}}],
    "none": [],
}


@pytest.mark.parametrize("lines", ALIKE.values(), ids=ALIKE)
def test_lines_read_at_once_are_the_lines_read_one_by_one(lines):
    assert read_samples(json.dumps(lines).encode()) == [read_sample(json.dumps(line).encode(), "here") for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        '[{"id": 1, "scores": {"output": {"value": "C"}}}]',
        '[{"id": 1, "scores": {"\\u006futput": {"value": "C"}}}]',
        '[{"id": 1, "messages": []}]',
        '[{"id": 1, "id": 2}]',
        '[{"id": 1, "scores": {"a": {"value": NaN}}}]',
        '[{"epoch": 1}]',
        "[1]",
        "{}",
        "[",
    ],
)
def test_what_may_mean_something_else_one_by_one_is_not_read_at_once(text):
    assert read_samples(text.encode()) is None
