import datetime as dt
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evals.models import EvalRun
from tests.api.conftest import faults, problem

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def three(pipeline, small, aurora):
    """Three runs, received a day apart from each other."""
    pipeline.run(3, 12, external_id="a")
    pipeline.run(0, 12, external_id="b", producer={"name": "weekly"}, coverage={"planned": 20})
    pipeline.run(external_id="c", status="error")
    for day, run in enumerate(EvalRun.objects.order_by("pk")):
        EvalRun.objects.filter(pk=run.pk).update(received=NOW + dt.timedelta(days=day))


def listed(pipeline, path, name, **query):
    return [row[name] for row in pipeline.get(path, **query).json()["results"]]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"producer": "weekly"}, ["b"]),
        ({"producer": "Weekly"}, []),
        ({"external_id": "c"}, ["c"]),
        ({"complete": "true"}, ["a"]),
        ({"complete": "false"}, ["c", "b"]),
        ({"since": "2026-05-02T12:00:00Z"}, ["c", "b"]),
        ({"until": "2026-05-02T12:00:00Z"}, ["a"]),
        ({"since": "2026-05-02T14:00:00+02:00", "until": "2026-05-03T00:00:00Z"}, ["b"]),
        ({"since": "2026-05-01T12:00:00Z", "status": "error"}, ["c"]),
    ],
)
def test_runs_are_listed_by_who_posted_them_when_and_whether_they_are_complete(pipeline, query, found):
    assert listed(pipeline, "runs/", "external_id", **query) == found


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        ("crises/", {"state": "opened"}, 1),
        ("crises/", {"state": "closed"}, 0),
        ("crises/", {"model": "aurora", "level": "small-1.0.uplift", "severity": "alert"}, 1),
        ("crises/", {"severity": "critical"}, 0),
        ("crises/", {"until": "2020-01-01T00:00:00Z"}, 0),
        ("statuses/", {"state": "alert", "framework": "small", "model": "aurora"}, 1),
        ("statuses/", {"framework": "other"}, 0),
        ("assessments/", {"complete": "true", "model": "aurora"}, 1),
        ("assessments/", {"since": "2020-01-01T00:00:00Z"}, 3),
        ("models/", {"developer": "Northwind"}, 1),
        ("checkpoints/", {"model": "aurora", "developer": "Northwind"}, 1),
        ("checkpoints/", {"parent": "aurora-1"}, 0),
        ("evaluations/", {"slug": "ctf"}, 1),
        ("evaluations/", {"unit": "points"}, 0),
        ("frameworks/", {"slug": "small", "state": "published", "developer": "Northwind"}, 1),
        ("frameworks/", {"state": "draft"}, 0),
        ("levels/", {"framework": "small", "domain": "cyber"}, 1),
        ("levels/", {"kind": "tier"}, 0),
    ],
)
def test_every_list_can_be_narrowed(pipeline, path, query, found):
    assert len(pipeline.get(path, **query).json()["results"]) == found


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("runs/", {"status": "sucess"}),
        ("runs/", {"status": ""}),
        ("runs/", {"complete": "yes"}),
        ("runs/", {"since": "yesterday"}),
        ("runs/", {"since": "2026-05-01"}),
        ("runs/", {"until": "2026-05-01T00:00:00"}),
        ("runs/", {"until": "0001-01-01T00:00:00Z"}),
        ("runs/", {"until": "9999-12-31T23:59:59-12:00"}),
        ("runs/", {"external_id": "x" * 201}),
        ("statuses/", {"state": "Alert"}),
        ("crises/", {"state": "open"}),
        ("forecasts/", {"axis": "time"}),
        ("forecasts/", {"crosses": "1"}),
        ("assessments/", {"run": "R-x"}),
        ("levels/", {"kind": "none"}),
        ("frameworks/", {"state": "new"}),
        ("runs/", {"ordering": "received"}),
        ("models/", {"ordering": "name"}),
        ("coverage/", {"ordering": "slug"}),
        ("runs/", {"ordering": ""}),
    ],
)
def test_a_filter_that_would_find_nothing_by_mistake_is_refused(pipeline, path, query):
    assert {pointer for pointer, _ in faults(pipeline.get(path, **query))} == {f"/{name}" for name in query}


@pytest.mark.usefixtures("three")
def test_a_list_is_read_from_either_end(pipeline):
    assert listed(pipeline, "runs/", "external_id", ordering="id") == ["a", "b", "c"]
    assert listed(pipeline, "runs/", "external_id", ordering="-id") == ["c", "b", "a"]


@pytest.mark.parametrize(("ordering", "found"), [("slug", ["a", "b", "c", "d"]), ("-slug", ["d", "c", "b", "a"])])
def test_a_list_by_name_is_followed_to_its_end_and_back(pipeline, ordering, found):
    for slug in ("c", "a", "d", "b"):
        pipeline.send("models/", {"slug": slug, "name": slug, "developer": "Northwind"})
    page, read = pipeline.get("models/", ordering=ordering, limit=1).json(), []
    while page["next"]:
        read += [row["slug"] for row in page["results"]]
        page = pipeline.client.get(page["next"], headers=pipeline._headers()).json()
    assert [*read, page["results"][0]["slug"]] == found
    back = pipeline.client.get(page["previous"], headers=pipeline._headers()).json()
    assert [row["slug"] for row in back["results"]] == found[-2:-1]


def test_a_cursor_of_another_order_is_not_followed(pipeline):
    for slug in ("a", "b", "c"):
        pipeline.send("models/", {"slug": slug, "name": slug, "developer": "Northwind"})
    cursor = pipeline.get("models/", ordering="slug", limit=1).json()["next"].partition("cursor=")[2].partition("&")[0]
    answer = pipeline.client.get(f"/api/v1/models/?{urlencode({'ordering': 'id'})}&cursor={cursor}", headers=pipeline._headers())
    problem(answer, 404, "not_found")


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("ordering", ["id", "-id"])
def test_a_page_is_read_off_an_index_and_nothing_is_sorted(pipeline, ordering):
    with CaptureQueriesContext(connection) as captured:
        pipeline.get("runs/", ordering=ordering, limit=1)
    (asked,) = [query["sql"] for query in captured if " ORDER BY " in query["sql"] and '"evals_evalrun"' in query["sql"]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{asked}")
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan
