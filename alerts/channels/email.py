"""The e-mail channel: an alert row becomes one mail, plain text and HTML, threaded by its crisis, with the same Message-ID every time."""

import base64
import hashlib
import smtplib
from contextlib import suppress
from email.utils import format_datetime
from typing import Any

import css_inline
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string

from alerts.message import Message, ascii_line, bar_cells, localised
from alerts.models import Alert

INLINER = css_inline.CSSInliner(keep_style_tags=False, load_remote_stylesheets=False)
LABEL = {"info": "For your information", "alert": "Alert", "critical": "Critical"}


class NotAccepted(Exception):
    """The mail server did not take the mail; carries what it said."""


def send(alert: Alert) -> None:
    """Send the alert by the configured backend; NotAccepted with the server's own words where it refuses."""
    mail = build(alert)
    connection = get_connection()
    try:
        connection.open()
        taken = connection.send_messages([mail])
    except smtplib.SMTPException as error:
        raise NotAccepted(_said(error)) from error
    finally:
        with suppress(OSError, smtplib.SMTPException):  # a clumsy goodbye does not undo what was accepted
            connection.close()
    if not taken:
        raise NotAccepted(f"no mail was sent: '{alert.recipient.email}' is no address to send to")


def _said(error: smtplib.SMTPException) -> str:
    """The server's code and words: one line for each refused address, or the one answer."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{address}: {code} {_text(words)}" for address, (code, words) in error.recipients.items())
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return f"{type(error).__name__}: {error}"


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words


def build(alert: Alert) -> EmailMultiAlternatives:
    """The mail of an alert: the same bytes at every attempt but for the MIME boundary."""
    message = Message.from_dict(alert.message)
    reader = _for(message, alert.recipient.time_zone)
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=render_to_string("alerts/mail.txt", reader).strip() + "\n",
        to=[alert.recipient.email],
        headers=_headers(alert, message),
    )
    html = INLINER.inline(render_to_string("alerts/mail.html", reader))
    mail.attach_alternative(html.encode("ascii", "xmlcharrefreplace").decode(), "text/html")  # no relay can garble plain ASCII
    return mail


def _headers(alert: Alert, message: Message) -> dict[str, str]:
    root = f"<{alert.thread}@{settings.MAIL_DOMAIN}>"
    phrase = message.list_name.replace("\\", "").replace('"', "")
    return {
        "Message-ID": alert.message_id,
        "Date": format_datetime(alert.queued),
        "In-Reply-To": root,
        "References": root,
        "List-Id": f'"{phrase}" <{message.list_id}.alerts.{settings.MAIL_DOMAIN}>',
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Thread-Topic": message.thread_topic,
        "Thread-Index": _thread_index(root),
        "X-FSF-Event": ascii_line(alert.event, limit=60),
        "X-FSF-Severity": alert.severity,
    }


def _thread_index(root: str) -> str:
    """Outlook's conversation index (MS-OXOMSG 2.2.1.3): 22 bytes, the same for every mail of a thread."""
    return base64.b64encode(b"\x01" + hashlib.sha256(root.encode()).digest()[:21]).decode()


def _for(message: Message, time_zone: str) -> dict[str, Any]:
    """What the templates show: every moment in the reader's zone, the bar as cells, the labels' width for the plain text."""
    return {
        "message": message,
        "label": LABEL[message.severity],
        "headline": localised(message.headline, time_zone),
        "situation": localised(message.situation, time_zone),
        "ask": localised(message.ask, time_zone),
        "facts": [(label, localised(value, time_zone)) for label, value in message.facts],
        "label_width": min(24, max((len(label) for label, _ in message.facts), default=0)) + 2,
        "cells": bar_cells(message.bar) if message.bar else [],
        "site": settings.SITE_URL,
    }
