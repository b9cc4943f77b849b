import copy

import msgspec
import pytest

from tests.conftest import small_file
from thresholds.library.shape import FrameworkFile, check

WHOLE = msgspec.to_builtins(small_file())


def faults(path, value):
    """What is wrong with the small framework where one thing is changed: `path` names it, for example levels.0.domain."""
    content = copy.deepcopy(WHOLE)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inner = content
    for part in parents:
        inner = inner[part]
    if last == "+":
        inner.append(value)
    else:
        inner[last] = value
    return check(msgspec.convert(content, FrameworkFile))


def test_the_small_framework_is_in_order():
    assert check(small_file()) == []


LEVEL, LINE = WHOLE["levels"][0], WHOLE["levels"][0]["thresholds"][0]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("levels.0.domain", "bio", "level uplift: the domain 'bio' is not listed under domains"),
        ("levels.0.checklist", [], "level uplift: has lines but no checklist"),
        ("levels.0.checklist.+", LEVEL["checklist"][0], "level uplift: measure 'classifier' stands twice"),
        ("levels.+", LEVEL, "level 'uplift' stands twice"),
        ("domains.+", WHOLE["domains"][0], "domain 'cyber' stands twice"),
        ("evaluations.+", WHOLE["evaluations"][0], "a version of an evaluation stands twice"),
        ("evaluations.0.maximum", 0, "evaluation ctf@1: its range runs from 0 to 0"),
        ("evaluations.0.maximum", float("inf"), "evaluation ctf@1: its range is not finite"),
        ("evaluations.0.minimum", float("nan"), "evaluation ctf@1: its range is not finite"),
        ("levels.0.thresholds.0.evaluation", "ctf@2", "alert line: the evaluation 'ctf@2' is not listed"),
        ("levels.0.thresholds.0.comparator", "<=", "alert line: '<=' contradicts the evaluation's direction"),
        ("levels.0.thresholds.0.value", 0, "strictly between 0 and 1"),
        ("levels.0.thresholds.0.value", 1, "strictly between 0 and 1"),
        ("levels.0.thresholds.0.value", float("nan"), "a line lies at a finite number"),
        ("levels.0.thresholds.0.value", float("inf"), "a line lies at a finite number"),
        ("levels.0.thresholds.0.value", 0.6, "the critical line (0.5) lies below the alert line (0.6)"),
        ("levels.0.thresholds.0.policy", "posterior", "needs the key posterior"),
        ("levels.0.thresholds.0.posterior", 0.5, "needs the key posterior"),
        ("levels.0.thresholds.0.illustrative", True, "an illustrative line needs its reason"),
        ("levels.0.thresholds.0.source", "", "a line that is not illustrative needs its source"),
        ("levels.0.thresholds.+", LINE, "two lines of one kind on one evaluation"),
    ],
)
def test_what_is_wrong_beyond_the_shape_is_said_where_it_stands(path, value, said):
    assert any(said in fault for fault in faults(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("framework.slug", "Small Framework"),
        ("framework.slug", ""),
        ("framework.version", 1.0),
        ("framework.effective_from", "soon"),
        ("framework.retest_days", 0),
        ("framework.surprise", 1),
        ("levels", []),
        ("levels.0.kind", "dangerous"),
        ("levels.0.stages", []),
        ("levels.0.stages", ["secret"]),
        ("levels.0.definition", ""),
        ("levels.0.thresholds.0.kind", "warning"),
        ("levels.0.thresholds.0.value", "0.2"),
        ("levels.0.thresholds.0.policy", "usual"),
        ("levels.0.thresholds.0.comparator", "=="),
        ("levels.0.thresholds.0.confidence", 0.3),
        ("levels.0.thresholds.0.confidence", 1),
        ("levels.0.thresholds.0.posterior", 1),
        ("levels.0.checklist.0.days", -1),
        ("levels.0.checklist.0.evidence", ""),
        ("levels.0.checklist.0.kind", "hope"),
        ("evaluations.0.unit", "percent"),
        ("evaluations.0.n_tasks", 0),
        ("evaluations.0.n_tasks", -12),
        ("evaluations.0.icc_task", 1.5),
        ("evaluations.0.icc_family", -0.1),
    ],
)
def test_what_has_another_shape_is_refused(path, value):
    with pytest.raises(msgspec.ValidationError):
        faults(path, value)


def test_lines_where_less_is_more_capable_lie_the_other_way_round():
    content = copy.deepcopy(WHOLE)
    content["evaluations"][0]["direction"] = "lower"
    for line, value in zip(content["levels"][0]["thresholds"], (0.5, 0.2), strict=True):
        line.update(comparator="<=", value=value)
    assert check(msgspec.convert(content, FrameworkFile)) == []
    content["levels"][0]["thresholds"][0]["value"] = 0.1
    assert "lies below the alert line" in check(msgspec.convert(content, FrameworkFile))[0]


def test_a_line_on_a_log_scale_is_positive():
    content = copy.deepcopy(WHOLE)
    content["evaluations"][0].update(unit="ratio", scale="log", minimum=None, maximum=None)
    content["levels"][0]["thresholds"][0]["value"] = 0
    assert check(msgspec.convert(content, FrameworkFile)) == ["level uplift: alert line: a line on a log scale must be positive, not 0"]
