"""What a mail says: a few plain sentences and facts, frozen when they are queued.

Every text is made harmless here, once: control, formatting and surrogate characters break headers, JSON columns and a reader's trust.
A moment inside a text is written as `at(moment)` and is shown in each reader's own time zone when the mail is built.
A message never carries anything out of an evaluation: no task, no prompt, no transcript.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain, groupby
from typing import Any, Self
from zoneinfo import ZoneInfo

SEVERITIES = frozenset({"info", "alert", "critical"})
SUBJECT_LENGTH = 70
BREAKS, UNSEEN = frozenset({"Cc", "Zl", "Zp"}), frozenset({"Cf", "Cs"})
IN_ASCII = str.maketrans(
    {
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{MINUS SIGN}": "-",
        "\N{MIDDLE DOT}": "-",
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{PLUS-MINUS SIGN}": "+/-",
        "\N{LESS-THAN OR EQUAL TO}": "<=",
        "\N{GREATER-THAN OR EQUAL TO}": ">=",
        "\N{RIGHTWARDS ARROW}": "->",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    }
)
MOMENT = re.compile(r"\{time:([^{}]{1,40})\}")


def one_line(text: str) -> str:
    """The text on one line: control characters become spaces, invisible and lone surrogate characters go."""
    if text.isprintable():  # nothing in it is to go, and the only gap is the space
        return " ".join(text.split())
    seen = (" " if unicodedata.category(char) in BREAKS else char for char in text if unicodedata.category(char) not in UNSEEN)
    return " ".join("".join(seen).split())


def ascii_line(text: str, *, limit: int) -> str:
    """The text as one line of at most `limit` ASCII characters, cut between words; a character without a likeness becomes `?`.

    Mail headers stay plain ASCII because Django folds an encoded subject into an empty first line (RFC 5322, RFC 2047).
    """
    flat = unicodedata.normalize("NFKD", one_line(text).translate(IN_ASCII))
    flat = "".join(char for char in flat if not unicodedata.combining(char)).encode("ascii", "replace").decode()
    flat = " ".join(flat.replace("=?", "= ?").split())  # what looks like an encoded word would be decoded by the reader's program
    if len(flat) <= limit:
        return flat
    room = limit - len("...")
    whole_words = flat[: room + 1].rpartition(" ")[0].rstrip(" ,:;-")
    return (whole_words or flat[:room]) + "..."


def subject_line(text: str) -> str:
    """The text as a subject: where it is too long the names give way, not the numbers behind the last colon."""
    names, colon, numbers = ascii_line(text, limit=1000).rpartition(": ")
    if not colon or len(numbers) > SUBJECT_LENGTH // 2:
        return ascii_line(text, limit=SUBJECT_LENGTH)
    return ascii_line(names, limit=SUBJECT_LENGTH - len(colon + numbers)) + colon + numbers


def at(moment: dt.datetime) -> str:
    """A moment to be put into a text, shown to each reader in the reader's zone; ValueError for a moment without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"The moment {moment.isoformat()} names no time zone; pass an aware datetime.")
    return f"{{time:{moment.isoformat()}}}"


def _zone(name: str) -> dt.tzinfo:
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        return dt.UTC


def for_reader(moment: dt.datetime, time_zone: str) -> str:
    """`16 Nov 2026, 15:02 CET (14:02 UTC)`: the reader's clock first, UTC in brackets; an unknown zone reads as UTC."""
    here, utc = moment.astimezone(_zone(time_zone)), moment.astimezone(dt.UTC)
    shown = f"{here.day} {here:%b %Y, %H:%M}"
    if here.tzname() == "UTC":
        return f"{shown} UTC"
    name = here.tzname() or ""
    label = name if name.isalpha() else f"UTC{name}"
    day = "" if here.date() == utc.date() else f"{utc.day} {utc:%b}, "
    return f"{shown} {label} ({day}{utc:%H:%M} UTC)"


def localised(text: str, time_zone: str) -> str:
    """The text with every `at(moment)` in it written for a reader of this IANA zone; what is no moment stays as it is."""

    def shown(found: re.Match[str]) -> str:
        try:
            return for_reader(dt.datetime.fromisoformat(found[1]), time_zone)
        except (ValueError, OverflowError):
            return found[0]

    return MOMENT.sub(shown, text)


def _fact(value: Any) -> str:
    """A fact's value as text: a string, an aware datetime, or {"time": "ISO 8601"}."""
    if isinstance(value, dt.datetime):
        return at(value)
    if isinstance(value, Mapping):
        return f"{{time:{value['time']}}}"
    return one_line(str(value))


def _facts(facts: Sequence[Sequence[Any]]) -> list[list[str]]:
    return [[one_line(str(label)), _fact(value)] for label, value in facts]


def _fraction(value: Any) -> float | None:
    return None if value is None else min(1.0, max(0.0, float(value)))


def _bar(bar: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if bar is None:
        return None
    places: dict[str, Any] = {name: _fraction(bar.get(name)) for name in ("point", "alert", "critical")}
    return {**places, "caption": one_line(str(bar.get("caption") or ""))}


def _web_address(link: str) -> str:
    return link.replace(" ", "%20") if re.match(r"https?://", link) else ""


def _in_headers(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts that become mail headers, in ASCII and never empty."""
    subject = subject_line(texts["subject"]) or ascii_line(texts["headline"], limit=SUBJECT_LENGTH) or "fsf alert"
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_line(texts["list_id"], limit=SUBJECT_LENGTH).lower()).strip("-")
    return {
        "subject": subject,
        "thread_topic": ascii_line(texts["thread_topic"], limit=SUBJECT_LENGTH) or subject,
        "list_name": ascii_line(texts["list_name"], limit=SUBJECT_LENGTH),
        "list_id": slug or "alerts",
    }


@dataclass(frozen=True, kw_only=True)
class Message:
    """What one event has to say; what it happened to, what it means, what to do by when, then the facts.

    `facts` are pairs of a label and a value (text, an aware datetime or {"time": ISO 8601}); `bar` holds the fractions 0..1 of the
    scale at which `point`, `alert` and `critical` lie, a missing line being None, and optionally a `caption`. ValueError for an
    unknown severity.
    """

    subject: str
    headline: str
    situation: str = ""
    ask: str = ""
    facts: Sequence[Sequence[Any]] = ()
    bar: Mapping[str, Any] | None = None
    link: str = ""
    link_text: str = "Open in fsf"
    why: str = ""
    severity: str = "info"
    illustrative: bool = False
    list_id: str = "alerts"
    list_name: str = "FSF alerts"
    thread_topic: str = ""

    def __post_init__(self) -> None:
        """Make every text harmless; a link that is no web address is left out."""
        if self.severity not in SEVERITIES:
            raise ValueError(f"'{self.severity}' is no severity; use one of {', '.join(sorted(SEVERITIES))}.")
        texts = {field.name: one_line(getattr(self, field.name)) for field in fields(self) if field.type is str}
        clean = texts | _in_headers(texts) | {"link": _web_address(texts["link"]), "facts": _facts(self.facts), "bar": _bar(self.bar)}
        for name, value in clean.items():
            object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """The message as JSON for `Alert.message`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The message out of `Alert.message`; a key that this version does not know is passed over."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})


def bar_cells(bar: Mapping[str, Any]) -> list[tuple[int, str]]:
    """The bar as (width in percent, kind) from left to right: the filled zones, then the lines ahead and the rest."""
    starts = {name: round(place * 100) for name in ("alert", "critical") if (place := bar.get(name)) is not None}
    lines = {min(99, start): f"line-{name}" for name, start in starts.items()}
    point = round((bar.get("point") or 0.0) * 100)
    filled = (_reached(percent, starts) for percent in range(point))
    ahead = (lines.get(percent, "rest") for percent in range(point, 100))
    return [(len(list(run)), name) for name, run in groupby(chain(filled, ahead))]


def _reached(percent: int, starts: Mapping[str, int]) -> str:
    return next((name for name in ("critical", "alert") if percent >= starts.get(name, 100)), "below")
