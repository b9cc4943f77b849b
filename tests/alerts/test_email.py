import email
import email.policy
import re

import pytest

from alerts.channels.email import build
from alerts.delivery import deliver_waiting
from alerts.models import Alert
from tests.alerts.conftest import said


@pytest.fixture
def arrive(smtp, tell, now):
    """Queues, delivers over SMTP, and returns the mails that arrived, parsed."""

    def arrive(*people, **queued):
        tell(*people, **queued)
        deliver_waiting(clock=lambda: now)
        return [email.message_from_bytes(envelope.content, policy=email.policy.default) for envelope in smtp.taken]

    return arrive


def part(mail, subtype):
    return mail.get_body((subtype,)).get_content().replace("\r\n", "\n")


def test_the_headers_are_these(ada, arrive):
    mail = arrive(ada)[0]
    key = Alert.objects.get().pk
    headers = {name: str(value) for name, value in mail.items() if name not in {"Content-Type", "MIME-Version"}}
    assert headers == {
        "Subject": "[ALERT] Cyber Uplift 1, Aurora 3 Pro: 0.71 (alert 0.60)",
        "From": "fsf alerts <alerts@fsf.example.org>",
        "To": "ada@example.org",
        "Message-ID": f"<crisis.4.{key}@fsf.example.org>",
        "Date": "Mon, 16 Nov 2026 14:02:00 +0000",
        "In-Reply-To": "<crisis.4@fsf.example.org>",
        "References": "<crisis.4@fsf.example.org>",
        "List-Id": '"FSF alerts, Cyber Uplift 1" <cyber-uplift-1.alerts.fsf.example.org>',
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Thread-Topic": "Cyber Uplift 1, Aurora 3 Pro [CR-4]",
        "Thread-Index": "AZNerCFyEyNTI/drng8i0bX/HTl+5g==",
        "X-FSF-Event": "threshold.alert_reached",
        "X-FSF-Severity": "alert",
    }


def test_the_plain_text_says_first_what_happened_and_then_what_to_do(ada, arrive):
    assert part(arrive(ada)[0], "plain") == (
        "Aurora 3 Pro scored 0.71 on Cyber Uplift 1. Alert 0.60 is reached; critical 0.80 is not.\n"
        "\n"
        "7 of 11 mitigations are ready.\n"
        "\n"
        "What to do: Acknowledge within an hour.\n"
        "\n"
        "Review and acknowledge:\n"
        "https://fsf.example.org/crises/4/\n"
        "\n"
        "Score     0.71 (0.64 to 0.77, 95%)\n"
        "Received  16 Nov 2026, 14:02 UTC\n"
        "\n"
        "--\n"
        "You are alerted to every crossing.\n"
        "fsf, http://127.0.0.1:8000\n"
    )


def test_the_shortest_message_makes_a_whole_mail(ada, arrive):
    mail = arrive(ada, message=type(said())(subject="s", headline="All measures are signed off."))[0]
    assert part(mail, "plain") == "All measures are signed off.\n\n--\nfsf, http://127.0.0.1:8000\n"
    assert "<h1" in part(mail, "html")


def test_each_reader_reads_the_own_clock(ada, ben, arrive):
    texts = {mail["To"]: part(mail, "plain") for mail in arrive(ada, ben)}
    assert "Received  16 Nov 2026, 14:02 UTC\n" in texts["ada@example.org"]
    assert "Received  16 Nov 2026, 23:02 JST (14:02 UTC)\n" in texts["ben@example.org"]


@pytest.mark.parametrize("subtype", ["plain", "html"])
def test_an_illustrative_line_is_called_one(ada, arrive, subtype):
    assert "illustrative line" in part(arrive(ada, message=said(illustrative=True))[0], subtype)


@pytest.mark.parametrize("subtype", ["plain", "html"])
def test_a_published_line_is_not_called_illustrative(ada, arrive, subtype):
    assert "illustrative" not in part(arrive(ada)[0], subtype)


def test_the_html_needs_nothing_from_outside_and_keeps_its_dark_side(ada, arrive):
    html = part(arrive(ada)[0], "html")
    assert re.findall(r"<(?:img|script|link|iframe)|url\(|@import", html) == []
    assert re.findall(r"https?://[^\"<]+", html) == ["https://fsf.example.org/crises/4/", "http://127.0.0.1:8000"]
    assert html.count("<style") == 1
    assert "prefers-color-scheme: dark" in html
    assert html.isascii()
    assert len(html) < 12_000


def test_markup_in_a_name_stays_text(ada, arrive):
    mail = arrive(ada, message=said(headline="<script>alert('x')</script> & co", facts=[["<b>", "<i>"]]))[0]
    assert "<script" not in part(mail, "html")
    assert part(mail, "plain").startswith("<script>alert('x')</script> & co\n")


@pytest.mark.parametrize(
    ("subject", "arrived"),
    [
        ("[ALERT]\r\nBcc: eve@example.org\r\n\r\nbody", "[ALERT] Bcc: eve@example.org body"),
        ("[ALERT] Кибер \N{MIDDLE DOT} \N{CJK UNIFIED IDEOGRAPH-901A} 0.71", "[ALERT] ????? - ? 0.71"),
        ("[ALERT] " + "very long name " * 40, "[ALERT] very long name very long name very long name very long name..."),
        ("\x00\x1b[31m", "[31m"),
        ("", "Aurora 3 Pro scored 0.71 on Cyber Uplift 1. Alert 0.60 is reached..."),
    ],
)
def test_a_hostile_subject_still_arrives_as_one_plain_line(ada, smtp, arrive, subject, arrived):
    mail = arrive(ada, message=said(subject=subject, thread_topic=subject, list_name=subject + '"\\'))[0]
    assert str(mail["Subject"]) == arrived
    assert mail["Bcc"] is None
    assert smtp.taken[0].rcpt_tos == ["ada@example.org"]


def test_the_mails_of_one_crisis_are_one_thread_with_one_subject(ada, arrive):
    arrive(ada, dedup="opened")
    first, second = arrive(ada, dedup="escalated")
    for name in ("References", "In-Reply-To", "Subject", "Thread-Index", "Thread-Topic"):
        assert first[name] == second[name]
    assert first["Message-ID"] != second["Message-ID"]


def test_two_crises_are_two_threads(ada, arrive):
    arrive(ada, dedup="one", thread="crisis.4")
    first, second = arrive(ada, dedup="two", thread="crisis.5")
    assert first["References"] != second["References"]
    assert first["Thread-Index"] != second["Thread-Index"]


def test_a_mail_sent_again_is_the_same_mail(ada, tell):
    tell(ada)
    first, second = (build(Alert.objects.select_related("recipient").get()) for _ in range(2))
    assert first.message().items()[1:] == second.message().items()[1:]
    assert (first.body, first.alternatives) == (second.body, second.alternatives)
