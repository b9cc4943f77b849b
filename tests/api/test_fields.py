import pytest

from tests.api.conftest import faults

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]
DETAILS = ["checkpoints/aurora-1/", "evaluations/ctf@1/", "frameworks/small-1.0/", "levels/small-1.0.uplift/", "runs/{run}/"]


def test_a_list_has_only_the_fields_that_are_asked_for(pipeline):
    pipeline.run(3, 12)
    assert pipeline.get("runs/", fields="external_id,complete").json()["results"] == [{"external_id": "1", "complete": True}]
    assert pipeline.get("models/", fields="slug").json() == {"next": None, "previous": None, "results": [{"slug": "aurora"}]}


def test_one_row_has_only_the_fields_that_are_asked_for(pipeline):
    run = pipeline.run(3, 12).json()["id"]
    for path in DETAILS:
        whole = pipeline.get(path.format(run=run)).json()
        name = next(iter(whole))
        assert pipeline.get(path.format(run=run), fields=name).json() == {name: whole[name]}


@pytest.mark.parametrize("said", ["", "none", "slug,none", "slug,", " slug", "slug;name", "SLUG", "x" * 5000, "__class__"])
def test_a_field_that_there_is_not_is_refused_naming_those_there_are(pipeline, said):
    for path in ("models/", "checkpoints/aurora-1/"):
        answer = pipeline.get(path, fields=said)
        assert {pointer for pointer, _ in faults(answer)} == {"/fields"}
        assert "name, " in answer.json()["errors"][0]["detail"]


def test_a_misspelt_parameter_of_one_row_is_refused(pipeline):
    assert faults(pipeline.get("checkpoints/aurora-1/", field="slug")) == [("/field", "invalid")]


def test_a_refusal_is_told_whole(pipeline):
    assert pipeline.get("checkpoints/none/", fields="slug").json()["code"] == "not_found"
