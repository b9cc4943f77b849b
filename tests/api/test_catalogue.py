import json

import pytest

from audit import log
from audit.models import Entry
from evals.models import Checkpoint, Evaluation, FrontierModel
from tests.api.conftest import faults, nothing_stored, problem

pytestmark = pytest.mark.django_db
LEFT_OUT = object()
MODEL = {"slug": "borealis", "name": "Borealis", "developer": "Northwind"}
CHECKPOINT = {"slug": "aurora-2", "name": "Aurora 2", "model": "aurora"}
EVALUATION = {"slug": "puzzles", "version": "1", "name": "Puzzles", "unit": "proportion", "direction": "higher"}
RICH = {
    "models": MODEL,
    "checkpoints": {
        **CHECKPOINT,
        "trained": "2025-05-01",
        "released": "2025-06-01",
        "effective_compute": 3e25,
        "parent": "aurora-1",
        "relation": "fine-tune",
    },
    "evaluations": {
        **EVALUATION,
        "metric": "solved",
        "scale": "linear",
        "minimum": 0,
        "maximum": 1,
        "n_tasks": 24,
        "population": "suite",
        "icc_task": 0.5,
        "icc_family": 0.1,
        "description": "Twenty-four puzzles.",
        "source": "the tests",
    },
}
SMALLEST = {"models": MODEL, "checkpoints": CHECKPOINT, "evaluations": EVALUATION}
KEPT = {"models": FrontierModel, "checkpoints": Checkpoint, "evaluations": Evaluation}


def changed(body, changes):
    return json.dumps({name: value for name, value in {**body, **changes}.items() if value is not LEFT_OUT})


@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.parametrize("bodies", [SMALLEST, RICH])
def test_what_is_registered_is_answered_listed_and_audited(pipeline, aurora, kind, bodies):
    answer = pipeline.send(f"{kind}/", bodies[kind])
    assert (answer.status_code, answer.json()) == (201, {**answer.json(), **bodies[kind]})
    assert pipeline.get(f"{kind}/").json()["results"][-1] == answer.json()
    entry = Entry.objects.order_by("seq").last()
    assert (entry.action, entry.actor) == (f"evals.{kind.removesuffix('s')}.register", "nightly")
    assert log.verify() is None


@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.parametrize("bodies", [SMALLEST, RICH])
def test_the_same_again_is_answered_201_and_changes_nothing(pipeline, aurora, kind, bodies):
    first = pipeline.send(f"{kind}/", bodies[kind])
    with nothing_stored():
        again = pipeline.send(f"{kind}/", bodies[kind])
    assert (again.status_code, again.json()) == (201, first.json())


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("models", {"name": "Borealis II"}),
        ("models", {"developer": "Another Lab"}),
        ("checkpoints", {"name": "Aurora Two"}),
        ("checkpoints", {"model": "borealis"}),
        ("checkpoints", {"effective_compute": 4e25}),
        ("checkpoints", {"released": "2025-06-02"}),
        ("checkpoints", {"parent": None, "relation": ""}),
        ("evaluations", {"unit": "points"}),
        ("evaluations", {"direction": "lower"}),
        ("evaluations", {"n_tasks": 25}),
        ("evaluations", {"icc_task": 0.6}),
    ],
)
def test_another_definition_under_the_same_name_is_refused_and_the_first_stays(pipeline, aurora, kind, changes):
    pipeline.send("models/", MODEL)
    first = pipeline.send(f"{kind}/", RICH[kind]).json()
    with nothing_stored():
        body = problem(pipeline.send(f"{kind}/", changed(RICH[kind], changes)), 409, "already_registered")
    assert RICH[kind]["slug"] in body["detail"]
    assert pipeline.get(f"{kind}/").json()["results"][-1] == first


def test_another_version_of_an_evaluation_is_another_evaluation(pipeline):
    for version in ("1", "2"):
        assert pipeline.send("evaluations/", {**EVALUATION, "version": version}).json()["key"] == f"puzzles@{version}"


BAD = [
    ("models", {"slug": LEFT_OUT}, "/slug", "required"),
    ("models", {"slug": None}, "/slug", "null"),
    ("models", {"slug": ""}, "/slug", "blank"),
    ("models", {"slug": "two words"}, "/slug", "invalid"),
    ("models", {"slug": "s" * 81}, "/slug", "max_length"),
    ("models", {"slug": ["borealis"]}, "/slug", "invalid"),
    ("models", {"name": {"en": "Borealis"}}, "/name", "invalid"),
    ("models", {"name": True}, "/name", "invalid"),
    ("models", {"name": " "}, "/name", "blank"),
    ("models", {"name": "n" * 121}, "/name", "max_length"),
    ("models", {"developer": LEFT_OUT}, "/developer", "required"),
    ("models", {"colour": "red"}, "/colour", "unknown_field"),
    ("models", {"id": 1}, "/id", "unknown_field"),
    ("models", {"a/b~c": 1}, "/a~1b~0c", "unknown_field"),
    ("checkpoints", {"model": "none"}, "/model", "does_not_exist"),
    ("checkpoints", {"model": ["aurora"]}, "/model", "does_not_exist"),
    ("checkpoints", {"model": 10**18}, "/model", "does_not_exist"),
    ("checkpoints", {"model": LEFT_OUT}, "/model", "required"),
    ("checkpoints", {"slug": "s" * 81}, "/slug", "max_length"),
    ("checkpoints", {"trained": "yesterday"}, "/trained", "invalid"),
    ("checkpoints", {"trained": 20260501}, "/trained", "invalid"),
    ("checkpoints", {"released": "2025-06-31"}, "/released", "invalid"),
    ("checkpoints", {"released": "2025-06-01T00:00:00Z"}, "/released", "invalid"),
    ("checkpoints", {"effective_compute": "much"}, "/effective_compute", "invalid"),
    ("checkpoints", {"effective_compute": "nan"}, "/effective_compute", "invalid"),
    ("checkpoints", {"effective_compute": "inf"}, "/effective_compute", "invalid"),
    ("checkpoints", {"effective_compute": True}, "/effective_compute", "invalid"),
    ("checkpoints", {"effective_compute": 0}, "/effective_compute", "min_value"),
    ("checkpoints", {"effective_compute": -3e25}, "/effective_compute", "min_value"),
    ("checkpoints", {"effective_compute": [3e25]}, "/effective_compute", "invalid"),
    ("checkpoints", {"parent": "none"}, "/parent", "does_not_exist"),
    ("checkpoints", {"parent": "aurora-2"}, "/parent", "does_not_exist"),
    ("checkpoints", {"relation": "cousin", "parent": "aurora-1"}, "/relation", "invalid_choice"),
    ("checkpoints", {"relation": "fine-tune"}, "/parent", "invalid"),
    ("evaluations", {"version": LEFT_OUT}, "/version", "required"),
    ("evaluations", {"version": "v" * 31}, "/version", "max_length"),
    ("evaluations", {"unit": "furlongs"}, "/unit", "invalid_choice"),
    ("evaluations", {"unit": ["proportion"]}, "/unit", "invalid_choice"),
    ("evaluations", {"direction": "sideways"}, "/direction", "invalid_choice"),
    ("evaluations", {"direction": LEFT_OUT}, "/direction", "required"),
    ("evaluations", {"scale": "cubic"}, "/scale", "invalid_choice"),
    ("evaluations", {"population": "all"}, "/population", "invalid_choice"),
    ("evaluations", {"n_tasks": 0}, "/n_tasks", "min_value"),
    ("evaluations", {"n_tasks": 2.5}, "/n_tasks", "invalid"),
    ("evaluations", {"n_tasks": True}, "/n_tasks", "invalid"),
    ("evaluations", {"n_tasks": 3_000_000_000}, "/n_tasks", "max_value"),
    ("evaluations", {"n_tasks": 10**300}, "/n_tasks", "max_value"),
    ("evaluations", {"icc_task": 1.5}, "/icc_task", "max_value"),
    ("evaluations", {"icc_task": "nan"}, "/icc_task", "invalid"),
    ("evaluations", {"icc_task": None}, "/icc_task", "null"),
    ("evaluations", {"icc_family": -0.1}, "/icc_family", "min_value"),
    ("evaluations", {"minimum": 1, "maximum": 0}, "/maximum", "invalid"),
    ("evaluations", {"minimum": 1, "maximum": 1}, "/maximum", "invalid"),
    ("evaluations", {"minimum": "-inf"}, "/minimum", "invalid"),
    ("evaluations", {"tasks": 12}, "/tasks", "unknown_field"),
    ("evaluations", {"task_rule": {"rule": "guess"}}, "/task_rule.rule", "invalid"),
    ("evaluations", {"task_rule": {"rule": "pass_at_k"}}, "/task_rule", "invalid"),
    ("evaluations", {"task_rule": []}, "/task_rule", "invalid"),
    ("evaluations", {"exclusions": [{"task": "t-1", "treatment": "excluded"}]}, "/exclusions[0]", "invalid"),
    ("evaluations", {"unit": "grade"}, "/unit", "invalid"),
    ("evaluations", {"kind": "guess"}, "/kind", "invalid"),
    ("evaluations", {"looks": 0}, "/looks", "invalid"),
]


@pytest.mark.usefixtures("aurora")
@pytest.mark.parametrize(("kind", "changes", "pointer", "code"), BAD)
def test_a_bad_registration_is_refused_where_it_is_wrong_and_nothing_is_stored(pipeline, kind, changes, pointer, code):
    raw = changed(SMALLEST[kind], changes)
    with nothing_stored():
        answer = pipeline.send(f"{kind}/", raw)
    assert faults(answer) == [(pointer, code)]


@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b"7", b'"aurora"', b"[{}]"])
def test_what_is_no_registration_at_all_is_refused(pipeline, kind, raw):
    with nothing_stored():
        found = faults(pipeline.send(f"{kind}/", raw))
    assert all(code == "required" for _, code in found) if raw in {b"", b"{}"} else [pointer for pointer, _ in found] == [""]


def test_all_that_is_missing_is_listed_at_once(pipeline):
    assert faults(pipeline.send("models/", {})) == [("/slug", "required"), ("/name", "required"), ("/developer", "required")]
    assert faults(pipeline.send("models/", {"nmae": 1, "devel": 2})) == [("/devel", "unknown_field"), ("/nmae", "unknown_field")]


@pytest.mark.parametrize("slug", ["aurora-1", "gemini-2.5-pro-06-17", "northwind/aurora-1b", "Ünïcode 1", "a%2Fb", "a?b#c"])
def test_a_checkpoint_is_read_by_its_slug(pipeline, aurora, slug):
    pipeline.send("checkpoints/", {**CHECKPOINT, "slug": slug, "name": "Aurora 1"})
    found = pipeline.get(f"checkpoints/{slug.replace('%', '%25').replace('?', '%3F').replace('#', '%23')}/")
    assert (found.status_code, found.json().get("slug")) == (200, slug)


@pytest.mark.parametrize("slug", ["aurora-9", "Aurora-1", "aurora-1 ", "..", "'"])
def test_a_checkpoint_that_is_not_registered_is_not_found(pipeline, aurora, slug):
    problem(pipeline.get(f"checkpoints/{slug}/"), 404, "not_found")


@pytest.mark.parametrize("kind", KEPT)
def test_an_empty_catalogue_is_an_empty_list(pipeline, kind):
    assert pipeline.get(f"{kind}/").json() == {"next": None, "previous": None, "results": []}


def test_an_evaluation_is_read_by_its_name_and_nothing_was_found_out_yet(pipeline, small):
    found = pipeline.get("evaluations/ctf@1/").json()
    assert (found["key"], found["validity"], found["task_rule"]) == ("ctf@1", [], {})
    for name in ("ctf", "ctf@2", "none@1"):
        problem(pipeline.get(f"evaluations/{name}/"), 404, "not_found")


def test_what_was_found_out_is_no_part_of_a_registration(pipeline):
    body = {"slug": "e", "version": "1", "name": "E", "unit": "points", "direction": "higher"}
    pipeline.send("evaluations/", {**body, "validity": [{"flag": "saturated"}], "task_rule": {"rule": "mean"}})
    found = pipeline.get("evaluations/e@1/").json()
    assert (found["validity"], found["task_rule"]) == ([], {})
