"""The table of the comparison says truly whether a goal was kept, and is not printed where a side lost what it answered."""

import pytest

from bench.databases import Place
from bench.load import Round, WrongAnswer
from bench.peers import __main__ as peers
from bench.peers import environments, mlflow

PLACE = Place("postgres://x@127.0.0.1/x", "PostgreSQL", workers=2)


def found(product, bare, theirs):
    rounds = {"product": product, "bare": bare, "mlflow": theirs}
    return peers.Found({name: [Round(rate, 1.0, 2.0) for rate in rates] for name, rates in rounds.items()}, {"product": 9, "mlflow": 9})


def verdicts(table):
    return [line.rpartition(": ")[2] for line in table.splitlines() if "at least" in line]


@pytest.mark.parametrize(
    ("product", "said"),
    [([900, 900, 900], ["kept", "kept"]), ([899, 899, 899], ["kept", "NOT KEPT"]), ([99, 900, 99], ["NOT KEPT", "NOT KEPT"])],
)
def test_a_goal_is_kept_where_the_median_of_the_ratios_reaches_it(product, said):
    assert verdicts(peers.table(found(product, [3000] * 3, [60] * 3), PLACE)) == said


def test_without_mlflow_the_table_has_no_line_for_it():
    both = found([900], [3000], [60])
    table = peers.table(peers.Found({name: both.rounds[name] for name in ("product", "bare")}, both.done), PLACE)
    assert verdicts(table) == ["kept"]


@pytest.mark.parametrize("kept", [(8, 45), (9, 44)])
def test_a_side_that_lost_what_it_answered_ends_the_measurement(monkeypatch, kept):
    monkeypatch.setattr(peers, "check_posted", lambda *_: "kept")
    monkeypatch.setattr(mlflow, "kept", lambda _: kept)
    with pytest.raises(WrongAnswer, match="MLflow answered 9 evaluations"):
        peers.check(found([1], [1], [1]), {}, "postgresql+psycopg2://x")


def test_each_side_goes_first_in_turn():
    order = []

    def side(name):
        def work(_clients, what, _many):
            order.append((what, name))
            return Round(10, 1, 1)

        return peers.Side(name, 8, work)

    peers.measure([side("product"), side("bare"), side("mlflow")], 3, 1)
    first = dict(reversed(order))
    assert [first[f"round-{number}"] for number in (1, 2, 3)] == ["product", "bare", "mlflow"]


def test_what_cannot_be_installed_is_said_and_leaves_nothing_half_made(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "WORK", tmp_path / "work")
    monkeypatch.setenv("UV_OFFLINE", "1")
    needs = tmp_path / "requirements.txt"
    needs.write_text("no-such-package-of-ours==1\n")
    with pytest.raises(environments.NotInstalled, match="no-such-package-of-ours"):
        environments.environment_of(needs)
    assert list((tmp_path / "work").iterdir()) == []
