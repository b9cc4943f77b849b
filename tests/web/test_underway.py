"""Runs that have no result yet are shown where their evaluation's evidence is shown."""

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import SYSTEM
from crises.watching import lose_run
from evals.catalogue import register_evaluation
from evals.heartbeats import losses
from evals.models import EvalRun, Heartbeat
from fsf.web import underway as shown
from fsf.web.underway import underway

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("level", "aurora")]
PAGES = ("/", "/evaluations/ctf@1/")


@pytest.fixture
def start(pipeline):
    """Posts a start, and how far it is; returns its id."""

    def start(external_id="1", **said):
        pk = pipeline.run(status="started", external_id=external_id).json()["id"]
        if said:
            assert pipeline.send(f"runs/{pk}/heartbeat/", said).status_code == 200
        return pk

    return start


def lose(pk):
    assert lose_run(run_id=pk, now=timezone.now() + dt.timedelta(hours=1))


def words(answer):
    """What is read on a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def card(client, page):
    """The card of the runs without a result, or nothing."""
    text = words(client.get(page))
    return text.partition("Runs without a result yet")[2][:400]


@pytest.mark.parametrize("page", PAGES)
def test_where_nothing_runs_nothing_is_said_of_it(lead, pipeline, page):
    pipeline.run(0, 500)
    assert card(lead, page) == ""


@pytest.mark.parametrize("page", PAGES)
def test_a_running_run_is_shown_with_how_far_it_is(lead, start, page):
    pk = start(completed=30, planned=100)
    said = card(lead, page)
    assert " Running " in said
    assert f"R-{pk} by nightly, 30 of 100 samples. Last sign" in said


@pytest.mark.parametrize("page", PAGES)
def test_a_lost_run_is_shown_until_its_result_comes(lead, start, pipeline, page):
    pk = start(completed=30, planned=100)
    lose(pk)
    said = card(lead, page)
    assert (" 1 lost " in said, " Lost " in said, " Running " in said) == (True, True, False)
    assert f"R-{pk + 1} by nightly, 30 of 100 samples. Nothing was heard of it after" in said
    pipeline.run(0, 500)
    assert card(lead, page) == ""


def test_the_overview_counts_lost_runs_in_its_sentence(lead, start, pipeline, days):
    pipeline.run(0, 500, external_id="before", completed=days(-3))
    assert "lost without a result" not in words(lead.get("/"))
    lose(start())
    said = words(lead.get("/"))
    assert "Cyber uplift cannot be ruled out for Aurora" in said
    assert "1 run lost without a result" in said


def test_a_checkpoint_marks_its_running_and_lost_runs_and_what_came_late(lead, start, pipeline):
    pk = start(completed=30, planned=100)
    row = lambda number: words_of_row(lead, number)  # noqa: E731
    assert "Running 30 of 100 samples" in row(pk)
    lose(pk)
    assert ("Lost 30 of 100 samples" in row(pk + 1), f"Superseded by R-{pk + 1}" in row(pk)) == (True, True)
    done = pipeline.run(0, 500).json()["id"]
    assert ("came after it was given up" in row(done), " Lost " in row(pk + 1)) == (True, False)


def words_of_row(client, number):
    page = client.get("/checkpoints/aurora-1/").content.decode()
    row = re.search(rf'<tr id="run-{number}".*?</tr>', page, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row[0]))


def test_a_level_marks_the_reading_of_a_lost_run(lead, start):
    lose(start())
    assert re.search(r"R-\d+ lost ", words(lead.get("/levels/small-1.0.uplift/")))


def test_the_coverage_says_that_the_newest_attempt_was_lost(lead, start, pipeline, days):
    pipeline.run(0, 500, external_id="before", completed=days(-3))
    pk = start()
    lose(pk)
    assert f"The newest attempt at ctf@1, R-{pk + 1}, was lost on" in words(lead.get("/coverage/"))


@pytest.mark.parametrize("page", [*PAGES, "/checkpoints/aurora-1/", "/underway/"])
def test_three_runs_cost_no_more_queries_than_one(lead, start, page):
    counts = []
    for names in (("a", "b"), ("c", "d", "e", "f")):
        for number, name in enumerate(names):
            pk = start(name, completed=1)
            if number % 2:
                lose(pk)
        with CaptureQueriesContext(connection) as captured:
            lead.get(page)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_lost_runs_come_first_and_are_all_counted(start):
    for number in range(8):
        lose(start(f"lost-{number}"))
    start("alive")
    shown, lost = underway()
    assert ([each.state for each in shown], lost) == (["lost"] * 6 + ["running"], 8)


def lost_section(client):
    """What the page of all runs without a result lists as lost."""
    return words(client.get("/underway/")).partition(" Lost, not yet replaced ")[2].partition(" Running ")[0]


@pytest.fixture
def unread(aurora, now):
    """An evaluation that has no line at any level."""
    fields = {"slug": "side", "version": "1", "name": "Side quest", "unit": "proportion", "direction": "higher"}
    return register_evaluation(fields=fields, actor=SYSTEM, now=now)


def test_a_lost_run_that_no_line_reads_is_listed_with_who_posted_it_and_its_last_sign(lead, pipeline, unread):
    pk = pipeline.run(status="started", evaluation="side@1").json()["id"]
    pipeline.send(f"runs/{pk}/heartbeat/", {"completed": 30, "planned": 100})
    lose(pk)
    said, seen = lost_section(lead), Heartbeat.objects.get().seen
    assert said.startswith("1 Run Checkpoint")
    assert f"R-{pk + 1} Lost Aurora 1 Aurora Side quest side@1 nightly nightly 30 of 100 samples" in said
    assert f"30 of 100 samples {seen.day} {seen:%b %Y}, {seen:%H:%M} UTC" in said


def test_the_overview_leads_to_every_lost_run(lead, start):
    assert "/underway/" not in lead.get("/").content.decode()
    lose(start())
    for page in PAGES:
        assert '<a href="/underway/">All runs without a result, lost ones first</a>' in lead.get(page).content.decode()
    assert '1 run lost without a result. <a href="/underway/#lost">See what was lost.</a>' in lead.get("/").content.decode()


@pytest.mark.usefixtures("unread")
def test_a_lost_run_is_listed_until_a_revision_replaces_it_and_last_where_another_run_made_up_for_it(lead, start, pipeline):
    stands = pipeline.run(status="started", evaluation="side@1", external_id="0").json()["id"]
    first, second = start("1"), start("2")
    for pk in (stands, first, second):
        lose(pk)
    other = pipeline.run(0, 500, external_id="other", completed=in_minutes(1)).json()["ref"]
    made_up = f"Lost made up for by {other}"
    assert listed(lead) == [f"R-{lost_as(stands)} Lost", f"R-{lost_as(second)} {made_up}", f"R-{lost_as(first)} {made_up}"]
    assert [each.pk for each in losses()] == [lost_as(stands)]
    pipeline.run(0, 500, external_id="1", completed=in_minutes(2))
    assert listed(lead) == [f"R-{lost_as(stands)} Lost", f"R-{lost_as(second)} {made_up}"]


def in_minutes(number):
    return (timezone.now() + dt.timedelta(minutes=number)).isoformat()


def listed(client):
    """The lost runs in their order, each with what made up for it."""
    return re.findall(r"R-\d+ Lost(?: made up for by R-\d+)?", lost_section(client))


def lost_as(pk):
    return EvalRun.objects.get(supersedes=pk, status="lost").pk


def test_where_nothing_is_lost_or_runs_the_page_says_so(lead):
    text = words(lead.get("/underway/"))
    assert "No run is lost without a revision that replaced it." in text
    assert "No run that was started is waited for." in text


def test_what_runs_is_listed_beside_what_is_lost_page_by_page(lead, start, monkeypatch):
    monkeypatch.setattr(shown, "ROWS_PER_PAGE", 2)
    for name in "abc":
        lose(start(f"lost-{name}"))
        start(f"alive-{name}")
    text = words(lead.get("/underway/?lost=2&running=1"))
    assert (text.count(" Lost Aurora 1"), text.count(" Running Aurora 1")) == (1, 2)
    assert "3 to 3 of 3 runs" in text
    assert "1 to 2 of 3 runs" in text


def test_only_who_signed_in_sees_it(client):
    assert client.get("/underway/").status_code == 302
