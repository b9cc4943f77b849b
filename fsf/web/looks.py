"""The status vocabulary of every page: each state has one word, one glyph and one colour class, and never colour alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown: `tone` is the colour class, `icon` the symbol in icons.svg, `word` what is read."""

    tone: str
    icon: str
    word: str


LEVEL: dict[str, Look] = {
    "no_result": Look("none", "no_result", "No result"),
    "clear": Look("clear", "clear", "Below alert"),
    "watch": Look("watch", "watch", "Watch"),
    "inconclusive": Look("open", "inconclusive", "Not ruled out"),
    "alert": Look("alert", "alert", "Alert reached"),
    "critical": Look("critical", "critical", "Critical reached"),
}
SEVERITY = ("critical", "alert", "inconclusive", "watch", "clear", "no_result")

CRISIS: dict[str, Look] = {
    "opened": Look("alert", "alert", "Not acknowledged"),
    "acknowledged": Look("watch", "progress", "Acknowledged"),
    "mitigating": Look("watch", "progress", "Mitigating"),
    "ready": Look("clear", "ready", "Plan ready"),
    "closed": Look("none", "no_result", "Closed"),
}

ITEM: dict[str, Look] = {
    "not_started": Look("none", "todo", "Not started"),
    "in_progress": Look("watch", "progress", "In progress"),
    "overdue": Look("alert", "alert", "Overdue"),
    "ready": Look("clear", "ready", "Ready"),
}

JOB: dict[str, Look] = {
    "claimed": Look("none", "clock", "Starting"),
    "launched": Look("watch", "progress", "Running"),
    "collected": Look("clear", "ready", "Collected"),
    "failed": Look("alert", "alert", "Failed"),
}

RUN: dict[str, Look] = {
    "running": Look("watch", "progress", "Running"),
    "lost": Look("alert", "alert", "Lost"),
}

UPDATE: dict[str, Look] = {
    "crossing": Look("alert", "alert", "Line reached"),
    "state": Look("none", "flag", "State"),
    "evidence": Look("none", "evidence", "Evidence"),
    "sign_off": Look("clear", "ready", "Sign-off"),
    "escalation": Look("critical", "critical", "Escalation"),
    "note": Look("none", "note", "Update"),
}

REPORTED: dict[str, Look] = {
    "below": Look("clear", "lab", "below alert"),
    "inherited_below": Look("clear", "lab", "below alert, inherited"),
    "below_ccl": Look("clear", "lab", "below critical"),
    "alert": Look("alert", "lab", "alert reached"),
    "alert_ccl_undetermined": Look("alert", "lab", "alert reached, critical not ruled out"),
    "threshold_crossed": Look("alert", "lab", "line crossed"),
    "high_reached": Look("critical", "lab", "High reached"),
    "critical": Look("critical", "lab", "critical reached"),
}

LINE_KIND = {"alert": "Alert", "critical": "Critical", "rule_out": "Rule-out"}
POLICY = {
    "precautionary": "reached unless ruled out",
    "point": "reached when the estimate reaches it",
    "confirmed": "reached when the lower bound reaches it",
    "posterior": "reached when likely enough",
}
GRADE = {
    "ruled_out": "ruled out",
    "not_ruled_out": "not ruled out",
    "likely": "likely reached",
    "confirmed": "confirmed",
}

_KINDS = {"level": LEVEL, "crisis": CRISIS, "item": ITEM, "job": JOB, "run": RUN, "update": UPDATE, "reported": REPORTED}


def look(kind: str, state: str) -> Look:
    """The look of a state of one kind; a state without one is shown by its own name, in the tone of something unknown."""
    return _KINDS[kind].get(state) or Look("open", "inconclusive", state.replace("_", " "))
