"""What becomes of the runs of an imported file, by what is stored of them."""

import datetime as dt
from dataclasses import replace

import pytest

from accounts.roles import NotAllowed, Reach
from alerts.models import Alert
from audit.models import Entry
from crises import importing
from crises.importing import MarkedInvalid, OlderThanStored, SeveralRuns, import_runs
from crises.models import Receipt
from crises.watching import hear_run, lose_run
from evals.ingest import invalidate_run
from evals.models import EvalResult, EvalRun
from evals.submissions import parse
from tests.conftest import NIGHTLY, run_body

pytestmark = pytest.mark.usefixtures("small", "aurora", "ada")


def log(solved, total=12, **more):
    """What an importer makes of a log: its run with where the file lay."""
    facts = {"evidence": "a.eval", "evidence_sha256": "00", "importer": "inspect-eval", **more.pop("provenance", {})}
    coverage = {"planned": total, "completed": total, "scored": total}
    return run_body(solved, total, **{"coverage": coverage, "provenance": facts, "status": "success", **more})


@pytest.fixture
def load(now):
    """Imports these bodies as one file."""

    def load(*bodies, actor=NIGHTLY, **more):
        return import_runs(submissions=[parse(body) for body in bodies], actor=actor, now=now, **more)

    return load


def results(done):
    return [each.result for each in done]


def stored():
    """Every run as (revision, what it supersedes, solved), the oldest first."""
    return [(run.revision, run.supersedes_id, run.results.get().solved) for run in EvalRun.objects.order_by("pk")]


def test_a_new_run_is_stored_and_judged(load):
    (done,) = load(log(3))
    assert (done.result, done.supersedes, done.reason, done.ring) == ("created", None, "", True)
    assert done.reply["crossings"] == [{"level": "small-1.0.uplift", "kind": "alert", "episode": 1}]
    assert stored() == [(1, None, 3)]
    assert EvalRun.objects.get().judged is not None


def test_the_same_file_again_is_a_replay(load):
    (first,), (again,) = load(log(3)), load(log(3))
    assert (again.result, again.ring, again.reply) == ("replayed", False, {**first.reply, "replayed": True})
    assert len(stored()) == 1


def test_the_same_run_from_elsewhere_is_a_replay_that_says_so(load, post):
    posted = post(3, 12, external_id="1", coverage={"planned": 12, "completed": 12, "scored": 12}, status="success")
    (done,) = load(log(3))
    assert (done.result, done.reply) == ("replayed", {**posted, "replayed": True})
    assert posted["ref"] in done.reason
    assert len(stored()) == 1


def test_a_rescored_log_supersedes_and_both_are_kept(load):
    (first,), (second,) = load(log(3)), load(log(2, provenance={"evidence_sha256": "11"}))
    assert (second.result, second.supersedes) == ("superseded", first.reply["id"])
    assert first.reply["ref"] in second.reason
    assert stored() == [(1, None, 3), (2, first.reply["id"], 2)]


def test_an_edited_log_supersedes_though_its_numbers_are_the_same(load):
    load(log(3))
    assert results(load(log(3, provenance={"log_edits": 1}))) == ["superseded"]


def test_an_earlier_revision_again_is_a_replay_of_it(load):
    (first,), (second,) = load(log(3)), load(log(2))
    (again,) = load(log(3))
    (elsewhere,) = load(log(3, provenance={"evidence": "copy.eval"}))
    assert (results([again, elsewhere]), again.reply["id"], elsewhere.reply["id"]) == (
        ["replayed"] * 2,
        first.reply["id"],
        first.reply["id"],
    )
    assert second.reply["ref"] in elsewhere.reason
    assert len(stored()) == 2


WRITTEN = [{"log_written": f"2026-11-22T09:0{minute}:00"} for minute in range(3)]


def test_an_older_file_never_silently_replaces_the_newer(load):
    (newer,) = load(log(2, provenance=WRITTEN[2]))
    (older,) = load(log(3, provenance=WRITTEN[1]))
    assert (older.result, type(older.refusal)) == ("refused", OlderThanStored)
    assert newer.reply["ref"] in str(older.refusal)
    assert stored() == [(1, None, 2)]


def test_whoever_names_the_newest_run_corrects_it_with_an_older_file(load):
    (newer,) = load(log(2, provenance=WRITTEN[2]))
    (older,) = load(log(3, provenance=WRITTEN[1]), supersedes=newer.reply["ref"])
    assert (older.result, older.supersedes) == ("superseded", newer.reply["id"])
    assert results(load(log(1), supersedes=newer.reply["id"])) == ["refused"]


def test_one_run_to_supersede_cannot_be_named_for_several(load):
    with pytest.raises(SeveralRuns):
        load(log(1), log(2, external_id="2"), supersedes=1)
    assert stored() == []


def test_a_score_taken_back_later_is_a_new_revision_again(load):
    for solved, written in zip((3, 2, 3), WRITTEN, strict=True):
        load(log(solved, provenance=written))
    assert [solved for *_, solved in stored()] == [3, 2, 3]


@pytest.mark.parametrize("status", ["started", "lost"])
def test_the_log_of_a_run_that_had_started_or_was_lost_is_its_end(load, status):
    (begun,) = load(run_body(status=status, coverage={"planned": 12}))
    (done,) = load(log(3))
    assert (done.result, done.supersedes) == ("superseded", begun.reply["id"])


def test_a_copy_made_before_the_end_does_not_undo_it(load):
    load(log(3))
    partial = log(1, status="lost", coverage={"planned": 12, "completed": 4, "scored": 4})
    assert results(load(partial)) == ["refused"]
    assert [run.status for run in EvalRun.objects.all()] == ["success"]


def recovered():
    """16 of 40 samples that `inspect log recover` could save, whose header knows of no more."""
    return log(9, 16, status="error", provenance={"evidence": "recovered.eval"})


def test_a_recovered_log_that_shrank_never_lowers_the_plan(load):
    load(run_body(status="started", coverage={"planned": 40}))
    (done,) = load(recovered())
    run = EvalRun.objects.get(pk=done.reply["id"])
    assert (run.planned, run.finished, run.complete) == (40, 16, False)
    assert results(load(recovered())) == ["replayed"]


def test_a_success_of_a_shrunken_log_is_not_complete_and_clears_nothing(load):
    load(run_body(status="lost", coverage={"planned": 400, "completed": 3, "scored": 3}))
    (shrunk,) = load(log(0, 100))
    assert (shrunk.result, shrunk.reply["complete"]) == ("superseded", False)
    assert {line["state"] for line in shrunk.reply["verdicts"]} != {"clear"}
    assert {line["state"] for line in load(log(0, 100, external_id="2"))[0].reply["verdicts"]} == {"clear"}


def test_the_version_that_a_bare_name_stands_for_is_the_same_evaluation(load):
    load(log(3))
    assert results(load(log(3, evaluation="ctf", provenance={"evidence": "b"}))) == ["replayed"]


def test_the_second_of_two_in_one_file_corrects_the_first(load):
    done = load(log(3), log(2), log(3), log(1, external_id="2"))
    assert results(done) == ["created", "superseded", "replayed", "created"]
    assert [solved for *_, solved in stored()] == [3, 2, 1]


def test_one_bad_run_spoils_no_other(load):
    done = load(log(1), log(2, external_id="2", checkpoint="none"), log(3, external_id="3"))
    assert results(done) == ["created", "refused", "created"]
    assert [error.code for error in done[1].refusal.errors] == ["unknown_checkpoint"]
    assert len(stored()) == 2


def test_a_direction_other_than_declared_is_refused(load):
    wrong = {"metric": "solved", "solved": 0, "total": 100, "direction": "lower"}
    done = load(log(0, 100, measurements=[wrong]), log(0, 100, external_id="2", measurements=[{**wrong, "direction": "higher"}]))
    assert results(done) == ["refused", "created"]
    assert [(error.pointer, error.code) for error in done[0].refusal.errors] == [("/measurements/0/direction", "direction_contradicts")]


def test_a_limited_run_may_trip_and_never_clear(load):
    facts = {"selected_samples": 100, "dataset_samples": 2376}
    (clear,), (trips,) = load(log(0, 100, provenance=facts)), load(log(90, 100, external_id="2", provenance=facts))
    assert (clear.reply["complete"], trips.reply["complete"]) == (False, False)
    assert {line["state"] for line in clear.reply["verdicts"]} == {"inconclusive"}
    assert trips.reply["crossings"][0]["kind"] == "critical"


def rows():
    return [model.objects.count() for model in (EvalRun, EvalResult, Receipt, Alert, Entry)]


def test_a_dry_run_answers_the_same_and_keeps_nothing(load):
    load(log(3))
    before = rows()
    bodies = [log(3), log(2), log(1, external_id="2"), log(1, external_id="3", evaluation="none")]
    rehearsed = load(*bodies, dry_run=True)
    assert rows() == before
    assert results(rehearsed) == results(load(*bodies)) == ["replayed", "superseded", "created", "refused"]
    assert [each.ring for each in rehearsed] == [False] * 4
    assert rehearsed[2].reply["id"] is None


def test_a_token_that_does_not_reach_a_run_learns_nothing_of_it(load):
    load(log(3))
    outside = replace(NIGHTLY, reach=Reach(models=frozenset({"borealis"})))
    (done,) = load(log(2), actor=outside)
    assert (done.result, type(done.refusal), done.reply) == ("refused", NotAllowed, {})


def test_a_post_that_comes_between_is_looked_at_again(load, post, monkeypatch, now):
    look, ours = importing._known, []

    def looked(submissions):
        found = look(submissions)
        if not ours:
            ours.append(post(1, 12, external_id="1", completed=(now - dt.timedelta(hours=1)).isoformat()))
        return found

    monkeypatch.setattr(importing, "_known", looked)
    (done,) = load(log(3))
    assert (done.result, done.supersedes) == ("superseded", ours[0]["id"])


def test_a_table_of_runs_costs_a_few_statements(load, django_assert_max_num_queries):
    bodies = [log(1, external_id=str(number)) for number in range(300)]
    with django_assert_max_num_queries(60):
        assert set(results(load(*bodies))) == {"created"}
    with django_assert_max_num_queries(20):
        assert set(results(load(*bodies))) == {"replayed"}


def test_what_a_person_marked_invalid_is_replaced_by_name_only(load, ada, now):
    (first,) = load(log(0, 500))
    invalidate_run(run_id=first.reply["id"], reason="It held back.", actor=ada.as_actor(), now=now)
    edited = log(0, 500, provenance={"log_edits": 1})
    (same,), (other,) = load(log(0, 500)), load(edited)
    assert (same.result, other.result, type(other.refusal)) == ("replayed", "refused", MarkedInvalid)
    assert first.reply["ref"] in str(other.refusal)
    assert results(load(edited, supersedes=first.reply["id"])) == ["superseded"]


def test_a_log_never_has_a_smaller_plan_than_the_signs_of_its_run(load, now):
    (begun,) = load(run_body(status="started"))
    hear_run(run_id=begun.reply["id"], said={"planned": 500}, actor=NIGHTLY, now=now)
    (done,) = load(log(0, 100))
    assert (done.reply["complete"], EvalRun.objects.get(pk=done.reply["id"]).planned) == (False, 500)


def test_a_dead_log_read_again_does_not_bring_its_run_back(load, now):
    (begun,) = load(run_body(status="started", coverage={"planned": 12}))
    hear_run(run_id=begun.reply["id"], said={"completed": 3}, actor=NIGHTLY, now=now)
    assert lose_run(run_id=begun.reply["id"], now=now + dt.timedelta(hours=1))
    (again,) = load(run_body(status="started", coverage={"planned": 12, "completed": 3}))
    assert (again.result, EvalRun.objects.order_by("pk").last().status) == ("refused", "lost")
