"""The logs that are imported for measuring are whole, and each is an evaluation of its own."""

from bench.importing.logs import COPIED, MODELS, make_logs
from evals.importers import Options
from evals.importers.registry import read_file


def test_the_copies_are_read_like_the_logs_they_copy_each_under_its_own_id(tmp_path):
    ids = make_logs(tmp_path / "logs", 2 * len(COPIED))
    runs = []
    for path in sorted((tmp_path / "logs").iterdir()):
        with path.open("rb") as content:
            runs += read_file(path.name, content, Options())
    assert [run["external_id"] for run in runs] == ids
    assert len(set(ids)) == len(ids)
    assert [run["checkpoint"] for run in runs] == MODELS[: len(ids)]
    assert {(run["evaluation"], run["status"]) for run in runs} == {("simple@1", "success")}
    assert [len(run["measurements"]) for run in runs[: len(COPIED)]] == [len(run["measurements"]) for run in runs[len(COPIED) :]]
