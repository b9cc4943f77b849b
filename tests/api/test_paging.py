from base64 import b64encode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evals.models import FrontierModel
from tests.api.conftest import faults, problem

pytestmark = pytest.mark.django_db
LISTS = ["models/", "checkpoints/", "evaluations/", "frameworks/", "levels/", "statuses/", "coverage/", "runs/", "crises/"]
NEWEST_FIRST = ["runs/", "crises/"]
POSITIONS = ["", "one", "-1", "1.5", "1_0", "1%00", "9" * 20, "9" * 5000, "%D9%A3", "2025-11-22"]
NEVER_GIVEN = ["o=-1", "o=x", *(f"p={position}" for position in POSITIONS)]


def queries(pipeline, path):
    with CaptureQueriesContext(connection) as captured:
        answer = pipeline.get(path)
    return len(captured), len(answer.json()["results"])


def follow(pipeline, link, way="next"):
    """The pages from a link on, until there are no more."""
    while link:
        page = pipeline.client.get(link, headers=pipeline._headers()).json()
        yield page["results"]
        link = page[way]


def test_a_list_of_three_asks_the_database_as_often_as_a_list_of_one(pipeline, grow):
    grow(1)
    pipeline.get("models/")
    one = {path: queries(pipeline, path) for path in LISTS}
    grow(2)
    grow(3)
    assert {path: queries(pipeline, path) for path in LISTS} == {path: (asked, 3) for path, (asked, _) in one.items()}
    assert {found for _, found in one.values()} == {1}


def test_a_list_is_followed_to_its_end_and_back(pipeline, grow):
    for number in (1, 2, 3):
        grow(number)
    for path in LISTS:
        whole = pipeline.get(path).json()["results"]
        first = pipeline.get(path, limit=1).json()
        onward = [first["results"], *follow(pipeline, first["next"])]
        assert [row for page in onward for row in page] == whole
        second = pipeline.client.get(first["next"], headers=pipeline._headers()).json()
        assert [row for page in follow(pipeline, second["previous"], "previous") for row in page] == whole[:1]


@pytest.mark.parametrize("path", ["models/", "runs/"])
def test_while_rows_are_added_none_is_read_twice_and_none_is_left_out(pipeline, small, aurora, post, path):
    def add(number):
        if path == "models/":
            pipeline.send("models/", {"slug": f"m-{number}", "name": f"M {number}", "developer": "Northwind"})
        else:
            post(0, 12, external_id=f"m-{number}")

    def name(row):
        return row["slug"] if path == "models/" else row["external_id"]

    for number in range(5):
        add(number)
    there = {name(row) for row in pipeline.get(path).json()["results"]}
    page, read = pipeline.get(path, limit=2).json(), []
    for number in range(5, 50):
        read += [name(row) for row in page["results"]]
        if page["next"] is None:
            break
        if number < 9:
            add(number)
        page = pipeline.client.get(page["next"], headers=pipeline._headers()).json()
    assert len(read) == len(set(read))
    assert set(read) >= there
    assert len(read) == (len(there) if path in NEWEST_FIRST else len(pipeline.get(path).json()["results"]))


@pytest.mark.parametrize(("limit", "found"), [("1", 1), ("2", 2), ("3", 3), ("500", 3)])
def test_a_page_is_as_long_as_asked_for(pipeline, limit, found):
    for number in range(3):
        pipeline.send("models/", {"slug": f"m-{number}", "name": f"M {number}", "developer": "Northwind"})
    assert len(pipeline.get("models/", limit=limit).json()["results"]) == found


@pytest.mark.parametrize("limit", ["501", "0", "-1", "x", "", "1.5", "9" * 5000, "²", "+1", "1_0"])
def test_a_page_that_cannot_be_is_refused(pipeline, limit):
    assert faults(pipeline.get("models/", limit=limit)) == [("/limit", "invalid")]


def test_a_page_holds_500_rows_at_most(pipeline):
    FrontierModel.objects.bulk_create(FrontierModel(slug=f"m-{number}", name="M", developer="Northwind") for number in range(501))
    assert [len(pipeline.get("models/", limit=limit).json()["results"]) for limit in (500, 499)] == [500, 499]
    assert len(pipeline.get("models/").json()["results"]) == 100


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_that_we_never_gave_leads_nowhere(pipeline, path):
    for position in NEVER_GIVEN:
        problem(pipeline.get(path, cursor=b64encode(position.encode()).decode()), 404, "not_found")


@pytest.mark.parametrize("cursor", ["x", "====", "ü", "%", "AA", "/w=="])
def test_what_is_no_cursor_leads_nowhere(pipeline, cursor):
    assert pipeline.get("runs/", cursor=cursor).status_code in {200, 404}


@pytest.mark.parametrize("position", ["", "r=1", "p=9999999999999999999", "p=0", "o=99999", "x=1", "p=1&p=x"])
def test_a_cursor_past_the_end_leads_to_an_empty_page(pipeline, position):
    assert pipeline.get("runs/", cursor=b64encode(position.encode()).decode()).json()["results"] == []


def test_a_misspelt_filter_is_refused_and_does_not_list_everything(pipeline, small, aurora):
    answer = pipeline.get("runs/", chekpoint="aurora-1")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/chekpoint"
    assert pipeline.get("runs/", checkpoint="aurora-1", limit=5).status_code == 200
