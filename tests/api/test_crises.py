import pytest

from crises.lifecycle import acknowledge
from crises.models import Crisis
from tests.api.conftest import nothing_stored, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def crisis(pipeline, small, aurora, ada):
    pipeline.run(3, 12)
    return Crisis.objects.get()


def test_a_crisis_is_read_with_its_names(pipeline, crisis):
    found = pipeline.get(f"crises/{crisis.pk}/").json()
    assert (found["ref"], found["model"], found["level"], found["checkpoint"]) == (crisis.ref, "aurora", "small-1.0.uplift", "aurora-1")
    assert (found["state"], found["severity"], found["illustrative"]) == ("opened", "alert", False)
    assert (found["lead"], found["acknowledged"], found["ready"], found["closed"]) == (None, None, None, None)
    assert pipeline.get("crises/").json()["results"] == [found]


def test_its_lead_is_named_once_it_is_acknowledged(pipeline, crisis, ada, now):
    acknowledge(crisis_id=crisis.pk, actor=ada.as_actor(), now=now)
    found = pipeline.get(f"crises/{crisis.pk}/").json()
    assert (found["state"], found["lead"]) == ("acknowledged", ada.display_name)
    assert found["acknowledged"].endswith("Z")


def test_crises_are_listed_newest_first(pipeline, grow):
    for number in (1, 2, 3):
        grow(number)
    assert [crisis["model"] for crisis in pipeline.get("crises/").json()["results"]] == ["model-3", "model-2", "model-1"]


@pytest.mark.parametrize("number", ["0", "99999999999999999999", "CR-1", "-1"])
def test_a_crisis_that_is_not_there_is_not_found(pipeline, crisis, number):
    problem(pipeline.get(f"crises/{number}/"), 404, "not_found")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_token_never_changes_a_crisis(pipeline, crisis, method):
    for path in ("", f"{crisis.pk}/"):
        with nothing_stored():
            send = getattr(pipeline.client, method)
            answer = send(f"/api/v1/crises/{path}", {"state": "closed"}, content_type="application/json", headers=pipeline._headers())
        problem(answer, 405, "method_not_allowed")
    problem(pipeline.send(f"crises/{crisis.pk}/acknowledge/", {}), 404, "not_found")
    assert Crisis.objects.get().state == "opened"
