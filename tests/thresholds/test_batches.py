import datetime as dt
from dataclasses import asdict
from itertools import count

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import log
from evals.catalogue import register_checkpoint
from evals.ingest import record_run
from evals.models import Checkpoint, EvalResult, EvalRun
from evals.submissions import parse
from tests.conftest import NIGHTLY, on_postgres, run_body
from thresholds.assess import assess
from thresholds.batches import Unjudgeable, assess_many
from thresholds.evidence import contested
from thresholds.explained import explained
from thresholds.governing import lines_of
from thresholds.inheritance import sign_equivalence
from thresholds.models import Assessment, Crossing, LevelStatus
from thresholds.repeated import pooled_of
from thresholds.signdown import lowerable, sign_down

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
LINE = {"evaluation": "ctf@1", "policy": "precautionary", "source": "the tests"}
ALERT, CRITICAL = {**LINE, "kind": "alert", "value": 0.2}, {**LINE, "kind": "critical", "value": 0.5, "policy": "point"}
LEVELS = [
    {"thresholds": [ALERT, CRITICAL]},
    {"slug": "second", "thresholds": [{**LINE, "kind": "rule_out", "value": 0.3, "policy": "point"}]},
    {"slug": "third", "thresholds": [{**ALERT, "evaluation": "range@1"}, {**CRITICAL, "evaluation": "ctf@1"}]},
    {
        "slug": "both",
        "combine": {"rule": "all"},
        "thresholds": [{**ALERT, "evaluation": "net@1", "policy": "point"}, {**ALERT, "evaluation": "range@1", "policy": "point"}],
    },
]
EVALUATIONS = [{}, {"slug": "range"}, {"slug": "net"}]


@pytest.fixture
def levels(enact, aurora):
    """Four levels on three evaluations, one of which two evaluations decide together, and two checkpoints."""
    enact(levels=LEVELS, evaluations=EVALUATIONS)
    register_checkpoint(model=aurora.model, fields={"slug": "aurora-2", "name": "Aurora 2"}, actor=NIGHTLY, now=NOW)


NUMBERS = count(1)
MORE = [{}, {}, {}, {"status": "error"}, {"coverage": {"errored": 3}}, {"elicitation": {}}]
COUNTS = [(0, 12), (5, 12), (0, 100), (2, 100), (9, 100), (14, 100), (30, 100), (60, 100), (0, 100), (4, 100)]


def plain(random):
    """A run that needs no care."""
    return {
        "checkpoint": random.choice(["aurora-1", "aurora-2"]),
        "evaluation": "ctf@1",
        "counts": random.choice(COUNTS),
        "day": random.randint(-30, -1),
        "more": random.choice(MORE),
        "does": "measures",
    }


def careful(random):
    """A run that may correct another, have started only, or be of an evaluation that decides a level together with another."""
    evaluation = random.choice(["ctf@1"] * 7 + ["range@1", "range@1", "net@1"])
    return {**plain(random), "evaluation": evaluation, "does": random.choice(["measures"] * 18 + ["starts", "corrects"])}


def history(random, run):
    """Batches of runs, whether one checkpoint inherits from the other, and whether what can be signed down between batches is."""
    batches = [[run(random) for _ in range(random.randint(1, 12))] for _ in range(random.randint(1, 3))]
    return batches, run is careful and random.random() < 0.3, random.random() < 0.5


def submission(number, drawn):
    """A run as drawn; one that corrects takes the place of the newest before it, or of the one that was drawn."""
    more = {"external_id": str(number), "completed": (NOW + dt.timedelta(days=drawn["day"])).isoformat(), **drawn["more"]}
    if drawn["does"] == "starts":
        return parse(run_body(external_id=str(number), checkpoint=drawn["checkpoint"], evaluation=drawn["evaluation"], status="started"))
    standing = list(EvalRun.objects.filter(superseded_by=None).order_by("pk")) if drawn["does"] == "corrects" else []
    if standing:
        before = standing[drawn.get("which", -1) % len(standing)]
        more |= {"external_id": before.external_id, "supersedes": before.pk}
    return parse(run_body(*drawn["counts"], checkpoint=drawn["checkpoint"], evaluation=drawn["evaluation"], **more))


def stored(number, drawn, now):
    return record_run(submission=submission(number, drawn), actor=NIGHTLY, now=now, judged=now)


def one_by_one(batch, now):
    for number, drawn in batch:
        recorded = stored(number, drawn, now)
        assess(run=recorded.run, results=recorded.results, now=now, stored_now=recorded.created)


def together(batch, now):
    recorded = [stored(number, drawn, now) for number, drawn in batch]
    judged = assess_many(stored=[(each.run, each.results) for each in recorded], now=now)
    assert len(judged) == len(batch)


def what_stands(history, judge, ada):
    """The rows that a history leaves behind, in names instead of numbers; everything is undone."""
    batches, inherits, signs = history
    with transaction.atomic():
        if inherits:
            heir, source = (Checkpoint.objects.get(slug=slug) for slug in ("aurora-2", "aurora-1"))
            why = {"limits": "None.", "reason": "The same weights.", "domains": [], "expires": NOW + dt.timedelta(days=90)}
            sign_equivalence(checkpoint=heir, source=source, actor=ada.as_actor(), now=NOW, **why)
        for number, batch in enumerate(batches):
            now = NOW + dt.timedelta(hours=number)
            with log.gathered():
                judge([(f"{number}-{index}", drawn) for index, drawn in enumerate(batch)], now)
            for status in LevelStatus.objects.select_related("level__framework").order_by("pk") if signs else ():
                if lowerable(status):
                    sign_down(status_id=status.pk, reason="Ruled out.", actor=ada.as_actor(), now=now)
        assert log.verify() is None
        assert kept_pools() == pools_from_rows()
        told = statuses(), crossings(), assessments()
        transaction.set_rollback(True)
    return told


def contested_now():
    """Every contested reading with the lines it is contested at."""
    for status in LevelStatus.objects.select_related("level__framework"):
        for key, slots in status.readings.items():
            drawn = [line for line in lines_of(status.level.framework) if line.level_id == status.level_id and line.evaluation.key == key]
            for run, kinds in contested(slots).items():
                found = next(found for slot, found in slots.items() if slot.endswith("complete") and found["run"] == run)
                yield found, [line for line in drawn if line.kind in kinds]


def kept_pools():
    return [{line.kind: found["pooled"][line.kind] for line in lines} for found, lines in contested_now()]


def pools_from_rows():
    return [
        {kind: asdict(pooled) for kind, pooled in pooled_of(EvalRun.objects.get(pk=found["run"]), lines).items()}
        for found, lines in contested_now()
    ]


def names():
    return {run.pk: f"{run.external_id}.{run.revision}" for run in EvalRun.objects.all()}


COLUMNS = ["checkpoint__slug", "level__key", "state", "reading_state", "assessed", "taken", "evaluation__slug", "point", "lower", "upper"]
COLUMNS += ["n_eff", "alert_value", "critical_value", "critical_ruled_out", "illustrative", "episode", "message", "binding", "differs"]


def statuses():
    known = names()
    rows = LevelStatus.objects.order_by("level__key", "checkpoint__slug")
    return [
        (*columns, since if columns[2] in {"alert", "critical"} else None, known[run], ledger_of(readings, known))
        for *columns, since, run, readings in rows.values_list(*COLUMNS, "since", "assessment__run", "readings")
    ]


def ledger_of(readings, known):
    """The readings of a row by the names of their runs. By which equivalence they are inherited is the same in all of them."""
    return {key: sorted(_slot(slot, found, known) for slot, found in slots.items()) for key, slots in readings.items()}


def _slot(slot, found, known):
    name = slot.split(" ", 2)[-1] if slot.startswith("inherited") else slot
    return name, known[found["run"]], found["lines"], found.get("pooled")


def crossings():
    known, rows = names(), Crossing.objects.values_list("level__key", "checkpoint__slug", "kind", "episode", "assessment__run")
    return sorted((*row, known[run]) for *row, run in rows)


def assessments():
    known, rows = names(), Assessment.objects.select_related("level", "checkpoint").order_by("level__key", "checkpoint__slug", "run")
    return [
        (
            *(known[row.run_id], row.level.key, row.checkpoint.slug, row.reading_state, row.complete, row.illustrative, row.set_after),
            *(row.readings, {name: fact for name, fact in row.facts.items() if name != "together"}),
        )
        for row in rows
    ]


@pytest.mark.parametrize("run", [plain, careful])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=True))
def test_a_batch_leaves_behind_what_its_runs_leave_one_by_one(levels, ada, run, random):
    drawn = history(random, run)
    assert what_stands(drawn, together, ada) == what_stands(drawn, one_by_one, ada)


def counts(*solved, total=100, now=NOW, **more):
    """Stored runs of so many solved each, in this order."""
    bodies = [run_body(each, total, external_id=str(next(NUMBERS)), **more) for each in solved]
    recorded = [record_run(submission=parse(body), actor=NIGHTLY, now=now, judged=now) for body in bodies]
    return [(each.run, each.results) for each in recorded]


def test_a_line_is_crossed_by_the_run_that_reached_it_first_and_by_no_other(small, aurora):
    judged = assess_many(stored=counts(1, 30, 30, 60, 60, 2, 45), now=NOW)
    assert [[each.crossing and each.crossing.kind for each in run] for run in judged] == [
        *([None], ["alert"], [None], ["critical"]),
        *([None], [None], [None]),
    ]
    assert [assess_many(stored=counts(70, now=NOW + dt.timedelta(hours=1)), now=NOW + dt.timedelta(hours=1))[0][0].crossing] == [None]


def test_the_states_of_a_batch_are_those_before_and_after_all_of_it_and_it_says_so(small, aurora):
    assess_many(stored=counts(0), now=NOW)
    later = NOW + dt.timedelta(hours=1)
    judged = [each.assessment for (each,) in assess_many(stored=counts(2, 30, now=later), now=later)]
    assert [(row.state_before, row.state, row.reading_state, row.facts["together"]) for row in judged] == [
        ("clear", "alert", "clear", 2),
        ("clear", "alert", "alert", 2),
    ]
    assert "It was read together with 1 other run: the states are those before and after all." in explained(judged[0]).steps[-2].text


def test_a_run_by_itself_is_judged_as_if_there_were_no_batch(small, aurora):
    ((judged,),) = assess_many(stored=counts(30), now=NOW)
    assert (judged.assessment.state_before, judged.assessment.state, "together" in judged.assessment.facts) == ("no_result", "alert", False)


def test_a_run_from_before_a_version_is_read_by_it_where_its_checkpoint_stands_by_it_already(enact, aurora):
    for version, day in (("1.0", "2020-01-01"), ("2.0", "2026-05-20")):
        enact(version=version, effective_from=day)
    assess_many(stored=counts(0, completed="2026-05-25T12:00:00Z"), now=NOW)
    later = NOW + dt.timedelta(hours=1)
    judged = assess_many(stored=counts(30, 2, completed="2026-05-10T12:00:00Z", now=later), now=later)
    assert [sorted(each.assessment.level.framework.version for each in run) for run in judged] == [["1.0", "2.0"]] * 2


def statements(stored, now):
    with CaptureQueriesContext(connection) as captured:
        assess_many(stored=stored, now=now)
    return len(captured)


def test_a_batch_takes_six_statements_however_many_runs_and_levels_it_has(levels):
    kinds = [{"checkpoint": "aurora-1"}, {"checkpoint": "aurora-2"}]
    assess_many(stored=[each for more in kinds for each in counts(1, **more)], now=NOW)
    hours = [NOW + dt.timedelta(hours=hour) for hour in (1, 2)]
    few, many = (
        statements([each for more in kinds for each in counts(*solved, now=now, **more)], now)
        for now, solved in zip(hours, ([1], range(8)), strict=True)
    )
    assert few == many == 6


def test_where_all_looks_are_added_up_a_batch_takes_no_more(small, aurora):
    assess_many(stored=counts(30, 1), now=NOW)
    later = NOW + dt.timedelta(hours=1)
    assert statements(counts(1, 2, 3, now=later), later) == 6


def test_the_rows_of_new_places_are_made_in_a_constant_number_of_statements(levels, aurora):
    slugs = [f"aurora-{number}" for number in range(3, 13)]
    for slug in slugs:
        register_checkpoint(model=aurora.model, fields={"slug": slug, "name": slug}, actor=NIGHTLY, now=NOW)
    assess_many(stored=counts(1), now=NOW)
    two, eight = (statements([each for slug in some for each in counts(1, checkpoint=slug)], NOW) for some in (slugs[:2], slugs[2:]))
    assert two == eight


def test_numbers_that_cannot_be_judged_are_named_by_their_position(small, aurora):
    good, bad = counts(1, 2)
    with pytest.raises(Unjudgeable, match="outside the range") as told, transaction.atomic():
        assess_many(stored=[good, (bad[0], [EvalResult(metric="solved", value=2.0)])], now=NOW)
    assert (told.value.position, told.value.code) == (1, "score_outside_bounds")
    assert not Assessment.objects.exists()


def test_whoever_keeps_the_assessments_gets_them_as_they_arrived(small, aurora):
    kept = []

    def keep(rows):
        kept.extend(rows)
        Assessment.objects.bulk_create(rows)

    stored = counts(1, 2, 3)
    assess_many(stored=stored, now=NOW, keep=keep)
    assert [row.run for row in kept] == [run for run, _ in stored]


def test_a_run_that_was_judged_before_is_left_as_it_is(small, aurora):
    stored = counts(30)
    assess_many(stored=stored, now=NOW)
    assert assess_many(stored=[*stored, *stored], now=NOW + dt.timedelta(hours=1)) == [[], []]


def test_a_run_that_stands_twice_in_a_batch_is_judged_once(small, aurora):
    assert [len(judged) for judged in assess_many(stored=counts(30) * 2, now=NOW)] == [1, 0]


@on_postgres
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_batches_at_once_wait_for_each_other_and_cross_once(levels, at_once):
    def post(number):
        now, order = NOW + dt.timedelta(minutes=number), ["aurora-1", "aurora-2"][:: 1 if number % 2 else -1]
        with transaction.atomic(), log.gathered():
            assess_many(stored=[each for slug in order for each in counts(30, 1, now=now, checkpoint=slug)], now=now)
        return "stored"

    assert at_once(post, range(8)) == ["stored"] * 8
    assert sorted(Crossing.objects.values_list("checkpoint__slug", "level__slug", "kind")) == [
        (checkpoint, level, "alert") for checkpoint in ("aurora-1", "aurora-2") for level in ("second", "uplift")
    ]
    assert (Assessment.objects.count(), LevelStatus.objects.count()) == (8 * 4 * 3, 6)
