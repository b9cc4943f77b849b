"""What is told about a run that fell silent."""

import datetime as dt
from dataclasses import replace

import pytest

from alerts.message import at
from crises.watch_messages import Silent, heard, lost, progress, span

SEEN = dt.datetime(2026, 11, 22, 9, 30, tzinfo=dt.UTC)
RUN = Silent(
    ref="R-12",
    number=12,
    evaluation="ctf@1",
    checkpoint="Aurora 1",
    slug="aurora-1",
    producer="inspect_ai",
    posted_by="nightly",
    seen=SEEN,
    allowed=dt.timedelta(minutes=15),
    completed=30,
    planned=100,
    names=("Cyber uplift",),
)
SITE = "https://fsf.example.org"


def test_a_loss_says_what_is_silent_since_when_what_is_unknown_and_what_to_do():
    said = lost(RUN, site=SITE)
    assert said.subject == "[LOST] ctf@1, Aurora 1: nothing heard for 15 min"
    assert said.headline == f"R-12, ctf@1 on Aurora 1, is lost: nothing was heard of it since {at(SEEN)}."
    assert said.situation == "What it would have measured is unknown. Cyber uplift cannot be read as clear by it."
    assert said.ask.startswith("Find out whether inspect_ai still runs it")
    assert said.facts == [
        ["Last sign", at(SEEN)],
        ["Allowed silence", "15 min"],
        ["Progress", "30 of 100 samples"],
        ["Posted by", "nightly"],
    ]
    assert (said.severity, said.link) == ("alert", "https://fsf.example.org/checkpoints/aurora-1/#runs")


def test_a_loss_that_no_line_would_have_read_says_so():
    assert "No line in force reads this evaluation." in lost(replace(RUN, names=()), site=SITE).situation


def test_the_end_of_the_alarm_stays_in_its_thread():
    said = heard(RUN, now=SEEN + dt.timedelta(hours=1), site=SITE)
    assert (said.subject, said.thread_topic) == (lost(RUN, site=SITE).subject, lost(RUN, site=SITE).thread_topic)
    assert (said.severity, "the alarm is over" in said.headline) == ("info", True)


@pytest.mark.parametrize(("seconds", "words"), [(15, "15 s"), (60, "1 min"), (900, "15 min"), (5400, "1.5 h"), (259_200, "72 h")])
def test_a_length_of_time_in_its_largest_unit(seconds, words):
    assert span(dt.timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(("completed", "planned", "words"), [(None, 9, "not said"), (3, None, "3 samples"), (0, 9, "0 of 9 samples")])
def test_progress_in_words(completed, planned, words):
    assert progress(completed, planned) == words
