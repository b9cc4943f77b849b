import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.message import Message, ascii_line, at, bar_cells, for_reader, localised, one_line

EVENING = dt.datetime(2026, 11, 16, 23, 2, tzinfo=dt.UTC)


def test_a_subject_is_ascii_on_one_line_and_says_the_same():
    message = Message(subject="[ALERT] Cyber · Auróra\r\nBcc: eve@example.org \N{EN DASH} 0.71 ≥ 0.60", headline="h")
    assert message.subject == "[ALERT] Cyber - Aurora Bcc: eve@example.org - 0.71 >= 0.60"


def test_a_long_subject_is_cut_between_words_and_says_so():
    subject = Message(subject="[ALERT] " + "capability " * 20, headline="h").subject
    assert len(subject) <= 70
    assert subject.endswith("capability...")


def test_in_a_long_subject_the_names_give_way_to_the_numbers():
    subject = Message(
        subject="[CRITICAL] Instrumental reasoning level 2, Gemini 2.5 Pro Deep Think: 0.714 (line 0.6)", headline="h"
    ).subject
    assert subject == "[CRITICAL] Instrumental reasoning level 2, Gemini...: 0.714 (line 0.6)"


def test_a_long_word_is_cut_where_it_must_be():
    assert ascii_line("x" * 90, limit=70) == "x" * 67 + "..."


def test_what_looks_like_an_encoded_word_is_not_decoded_by_the_reader():
    assert "=?" not in ascii_line("=?utf-8?q?all_clear?=", limit=70)


def test_invisible_characters_cannot_turn_a_text_round():
    assert one_line("safe\u202egnorw\u202c \x00model\ud800\ufeff") == "safegnorw model"


@given(st.text())
def test_any_subject_fits_into_a_header(text):
    subject = Message(subject=text, headline=text).subject
    assert subject.isascii()
    assert len(subject) <= 70
    assert subject.isprintable()


@given(st.text(), st.text())
def test_a_message_survives_the_way_through_json(text, value):
    message = Message(subject=text, headline=text, facts=[[text, value]], ask=text, bar={"point": 2, "alert": 0.6}, severity="alert")
    assert Message.from_dict(json.loads(json.dumps(message.to_dict()))) == message


def test_a_message_of_a_later_version_is_still_read():
    assert Message.from_dict({"subject": "s", "headline": "h", "sound": "siren"}).headline == "h"


def test_an_unknown_severity_is_refused_by_name():
    with pytest.raises(ValueError, match="'urgent' is no severity; use one of alert, critical, info"):
        Message(subject="s", headline="h", severity="urgent")


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "crises/4/"])
def test_a_link_that_is_no_web_address_is_left_out(link):
    assert Message(subject="s", headline="h", link=link).link == ""


def test_a_list_is_named_by_a_plain_slug():
    assert Message(subject="s", headline="h", list_id="AI R&D-4 (Überblick)").list_id == "ai-r-d-4-uberblick"


def test_a_thread_without_a_topic_takes_the_subject():
    assert Message(subject="[ALERT] Cyber", headline="h").thread_topic == "[ALERT] Cyber"


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("UTC", "16 Nov 2026, 23:02 UTC"),
        ("Europe/London", "16 Nov 2026, 23:02 GMT (23:02 UTC)"),
        ("Europe/Berlin", "17 Nov 2026, 00:02 CET (16 Nov, 23:02 UTC)"),
        ("Asia/Dubai", "17 Nov 2026, 03:02 UTC+04 (16 Nov, 23:02 UTC)"),
        ("No/Where", "16 Nov 2026, 23:02 UTC"),
        ("../../etc/passwd", "16 Nov 2026, 23:02 UTC"),
        ("", "16 Nov 2026, 23:02 UTC"),
    ],
)
def test_a_moment_is_shown_on_the_readers_clock_with_utc_in_brackets(zone, shown):
    assert for_reader(EVENING, zone) == shown


def test_a_moment_inside_a_sentence_is_shown_on_the_readers_clock():
    text = f"Acknowledge by {at(EVENING)}, then it escalates."
    assert localised(text, "Asia/Tokyo") == "Acknowledge by 17 Nov 2026, 08:02 JST (16 Nov, 23:02 UTC), then it escalates."


def test_what_is_no_moment_stays_as_it_is():
    assert localised("{time:soon} {time:0001-01-01T00:00:00+23:59}", "Asia/Tokyo") == "{time:soon} {time:0001-01-01T00:00:00+23:59}"


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="names no time zone"):
        at(dt.datetime(2026, 11, 16, 14, 2))  # noqa: DTZ001 - the point of the test


def test_facts_take_moments_in_both_forms():
    message = Message(subject="s", headline="h", facts=[("Received", EVENING), ("Started", {"time": EVENING.isoformat()}), ("Tasks", 200)])
    assert message.facts == [["Received", at(EVENING)], ["Started", at(EVENING)], ["Tasks", "200"]]


@pytest.mark.parametrize(
    ("bar", "cells"),
    [
        ({"point": 0.71, "alert": 0.6, "critical": 0.8}, [(60, "below"), (11, "alert"), (9, "rest"), (1, "line-critical"), (19, "rest")]),
        ({"point": 0.3, "alert": 0.6, "critical": None}, [(30, "below"), (30, "rest"), (1, "line-alert"), (39, "rest")]),
        ({"point": 1.0, "alert": None, "critical": 0.9}, [(90, "below"), (10, "critical")]),
        ({"point": 0.0, "alert": 1.0, "critical": None}, [(99, "rest"), (1, "line-alert")]),
    ],
)
def test_the_bar_shows_the_zones_that_are_filled_and_the_lines_ahead(bar, cells):
    assert bar_cells(bar) == cells
