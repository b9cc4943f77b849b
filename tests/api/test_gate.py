import pytest

from audit.models import Entry
from gates.models import GateDecision
from tests.api.conftest import faults, nothing_stored, problem

pytestmark = pytest.mark.django_db
QUESTION = {"checkpoint": "aurora-1", "stage": "external"}


def reasons(answer):
    return [(reason["level"], reason["code"]) for reason in answer.json()["reasons"]]


@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize(
    ("counts", "stage", "verdict", "codes"),
    [
        ((), "external", "unknown", ["no_result"]),
        ((3, 12), "external", "hold", ["plan_not_ready"]),
        ((3, 12), "internal", "hold", ["plan_not_ready", "no_levels"]),
        ((0, 12), "internal", "unknown", ["no_levels"]),
        ((0, 1), "external", "unknown", ["inconclusive"]),
        ((0, 40), "external", "pass", []),
    ],
)
def test_the_gate_answers_by_what_is_known_and_stores_nothing(pipeline, counts, stage, verdict, codes):
    if counts:
        pipeline.run(*counts)
    with nothing_stored():
        answer = pipeline.get("gate/", checkpoint="aurora-1", stage=stage)
    body = answer.json()
    assert (answer.status_code, body["verdict"], [code for _, code in reasons(answer)]) == (200, verdict, codes)
    assert (body["checkpoint"], body["stage"], body["frameworks"]) == ("aurora-1", stage, ["small-1.0"])
    assert all(reason["detail"] for reason in body["reasons"])


def test_with_no_framework_in_force_nothing_can_be_cleared(pipeline, aurora):
    assert reasons(pipeline.get("gate/", **QUESTION)) == [("", "no_framework")]


def test_a_posted_question_keeps_its_answer_audited(pipeline, small, aurora):
    pipeline.run(3, 12)
    entries = Entry.objects.count()
    answer = pipeline.send("gate/", QUESTION)
    row, entry = GateDecision.objects.get(), Entry.objects.order_by("seq").last()
    assert (answer.status_code, answer.json()["id"], answer.json()["verdict"]) == (201, row.pk, "hold")
    assert (row.verdict, row.stage, row.asked_by, row.reasons) == ("hold", "external", "service:nightly", answer.json()["reasons"])
    assert (entry.action, entry.about, entry.actor) == ("gates.gate.decide", "checkpoint:aurora-1", "nightly")
    assert entry.data == {"stage": "external", "verdict": "hold", "reasons": row.reasons}
    assert Entry.objects.count() == entries + 1


def test_each_posted_question_is_a_decision_of_its_own(pipeline, small, aurora):
    ids = [pipeline.send("gate/", QUESTION).json()["id"] for _ in range(2)]
    assert sorted(GateDecision.objects.values_list("pk", flat=True)) == ids


BAD = [
    ({"checkpoint": "aurora-1", "stage": "public"}, [("/stage", "invalid_choice")]),
    ({"checkpoint": "aurora-1", "stage": "External"}, [("/stage", "invalid_choice")]),
    ({"checkpoint": "aurora-1", "stage": ""}, [("/stage", "invalid_choice")]),
    ({"checkpoint": "aurora-1"}, [("/stage", "required")]),
    ({"stage": "external"}, [("/checkpoint", "required")]),
    ({"checkpoint": "", "stage": "external"}, [("/checkpoint", "blank")]),
    ({}, [("/checkpoint", "required"), ("/stage", "required")]),
]


@pytest.mark.parametrize(("question", "found"), BAD)
def test_a_bad_question_is_refused_asked_or_posted(pipeline, small, aurora, question, found):
    with nothing_stored():
        assert faults(pipeline.get("gate/", **question)) == found
        assert faults(pipeline.send("gate/", question)) == found


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ({**QUESTION, "stage": None}, ("/stage", "null")),
        ({**QUESTION, "stage": ["external"]}, ("/stage", "invalid_choice")),
        ({**QUESTION, "stage": {"external": 1}}, ("/stage", "invalid_choice")),
        ({**QUESTION, "checkpoint": None}, ("/checkpoint", "null")),
        ({**QUESTION, "checkpoint": ["aurora-1"]}, ("/checkpoint", "invalid")),
        ({**QUESTION, "checkpoint": True}, ("/checkpoint", "invalid")),
        ({**QUESTION, "verdict": "pass"}, ("/verdict", "unknown_field")),
        ([QUESTION], ("", "invalid")),
        (7, ("", "invalid")),
        (None, ("", "null")),
    ],
)
def test_a_posted_question_of_another_shape_is_refused(pipeline, small, aurora, question, found):
    with nothing_stored():
        assert faults(pipeline.send("gate/", question)) == [found]


@pytest.mark.parametrize("checkpoint", ["aurora", "AURORA-1", "aurora-2", "x" * 500, "'; --", "ü"])
def test_a_checkpoint_that_is_not_registered_is_not_found(pipeline, small, aurora, checkpoint):
    question = {**QUESTION, "checkpoint": checkpoint}
    with nothing_stored():
        problem(pipeline.get("gate/", **question), 404, "not_found")
        problem(pipeline.send("gate/", question), 404, "not_found")


def test_what_else_stands_in_the_address_is_passed_over(pipeline, small, aurora):
    assert pipeline.get("gate/", **QUESTION, colour="red").json()["verdict"] == "unknown"
