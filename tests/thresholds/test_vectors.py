"""The golden cases, one test a case; FSF_VECTORS names another file of the same form to run instead."""

import json
import math
import os
import statistics as stdlib
from pathlib import Path

import pytest

from thresholds import forecast, sequential, statistics
from thresholds.verdicts import Line, Measurement, Policy, aggregate_grades, bounds, decide
from thresholds.weighing import validate

FILE = Path(os.environ.get("FSF_VECTORS") or Path(__file__).with_name("vectors.json"))
CASES = json.loads(FILE.read_text(encoding="utf-8"))["cases"]
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def spanned(found):
    return {"lower": found.lower, "upper": found.upper}


def interval(solved, total, **how):
    return spanned(statistics.interval(solved, total, **how))


def bounded(confidence=0.95, sides="one", mean=None, **measured):
    """The path that the product takes: a measurement in, bounds out."""
    found = bounds(Measurement("proportion", value=mean, **measured), 1 - statistics.tail(confidence, sides))
    return spanned(found) | {"mean": found.point, "point": found.point, "n_eff": found.n_eff}


def effective_bound(solved_per_task, family_sizes=None, **rest):
    return bounded(solved_per_task=tuple(solved_per_task), family_sizes=tuple(family_sizes or ()), **rest)


def t_interval(values, **how):
    return spanned(sequential.t_interval(values, **how)) | {"mean": stdlib.fmean(values)}


def korn_graubard(solved_per_task, epochs, confidence=0.95, sides="one"):
    found = sequential.korn_graubard(solved_per_task, epochs, confidence=1 - statistics.tail(confidence, sides))
    return found._asdict()


def n_to_rule_out(threshold, assumed_rate, **how):
    return dict(zip(("n", "max_solved"), sequential.n_to_rule_out(threshold, assumed_rate, **how), strict=True))


def adjust(method, p):
    return {"p": {"holm": sequential.holm}[method](p)}


def posterior_betabinomial(solved_per_task, epochs, threshold, prior):
    assert prior == "uniform mean, uniform ICC"
    return {"p": sequential.posterior_betabinomial(solved_per_task, epochs, threshold)}


def fpr_upper(false_positives, benign, confidence=0.95):
    upper = sequential.fpr_upper(false_positives, benign, confidence=confidence)
    return {"upper": upper, "rule_of_three": sequential.rule_of_three(false_positives, benign)}


def np_threshold_rank(benign_scores, max_fpr, risk=0.05):
    rank = sequential.np_threshold_rank(benign_scores, max_fpr, risk=risk)
    return {"rank": rank, "flags_above": None if rank is None else benign_scores - rank}


def walk(x, y, threshold, horizon):
    found = forecast.random_walk(x, y)
    return {"drift": found.drift, "sigma2": found.sigma2, "p_cross": found.crossing_probability(threshold, horizon)}


def decided(
    *,
    metric="proportion",
    estimate=None,
    mean=None,
    ci95=(None, None),
    alert=None,
    critical=None,
    alert_policy="precautionary",
    critical_policy="point",
    direction="higher",
    confidence=0.95,
    **measured,
):
    unit = {"estimate": "minutes"}.get(metric, metric)
    comparator = {"higher": ">=", "lower": "<="}[direction]
    found = decide(
        Measurement(unit, direction, value=mean if estimate is None else estimate, ci_low=ci95[0], ci_high=ci95[1], **measured),
        None if alert is None else Line("alert", alert, comparator, Policy(alert_policy), confidence=confidence),
        None if critical is None else Line("critical", critical, comparator, Policy(critical_policy), confidence=confidence),
    )
    reading = found.alert or found.critical
    return {
        "state": found.state,
        "alert_grade": found.alert and found.alert.grade,
        "critical_grade": found.critical and found.critical.grade,
        "critical_ruled_out": found.critical_ruled_out,
        "able_to_rule_out_alert": found.alert and found.alert.able,
        "lower": reading.bounds.lower,
        "upper": reading.bounds.upper,
        "point": reading.bounds.point,
    }


def aggregated(grades, k):
    return dict(zip(("grade", "alpha_upper_divisor", "alpha_lower_divisor"), aggregate_grades(grades, k), strict=True))


def check_lines(threshold=None, alert=None, critical=None, direction="higher", metric="proportion"):
    if threshold is not None and metric == "proportion":
        statistics.check_threshold(threshold)
    if alert is not None and critical is not None:
        statistics.check_order(alert, critical, direction)


def validated(**given):
    """Refusals as the product makes them; counts as they are posted are whole, averages over runs come otherwise."""
    if given.keys() & {"threshold", "alert", "critical"}:
        return check_lines(**given)
    if "solved" in given:
        statistics.check_whole(solved=given["solved"])
    low, high = given.pop("ci95", (None, None))
    unit = "minutes" if "estimate" in given else "proportion"
    value = given.pop("estimate", given.pop("mean", None))
    return validate(Measurement(unit, value=value, ci_low=low, ci_high=high, **given))


CODE = {
    "interval": interval,
    "posterior_prob_reached": lambda **given: {"p": statistics.posterior_reached(**given)},
    "clustered_stderr": lambda values, clusters: sequential.clustered_stderr(values, clusters)._asdict(),
    "kg_bound_alternative": korn_graubard,
    "effective_bound": effective_bound,
    "summary_bound": bounded,
    "t_interval": t_interval,
    "worst_case_bound": bounded,
    "min_n_zero_events": lambda **given: {"n": sequential.min_n_to_rule_out(**given)},
    "n_to_rule_out": n_to_rule_out,
    "pass_at_k": lambda **given: {"value": sequential.pass_at_k(**given)},
    "adjust": adjust,
    "aggregate_grades": aggregated,
    "decide": decided,
    "e_value_below": lambda **given: sequential.e_value_below(**given)._asdict(),
    "betting_e_value": lambda **given: sequential.betting_e_value(**given)._asdict(),
    "fpr_upper": fpr_upper,
    "tpr_lower": lambda **given: {"lower": sequential.tpr_lower(**given)},
    "np_threshold_rank": np_threshold_rank,
    "ols_crossing": lambda **given: forecast.trend(**given)._asdict(),
    "rw_drift_crossing_prob": walk,
    "posterior_betabinomial": posterior_betabinomial,
    "validate": validated,
}


def finite_or_not(value):
    if isinstance(value, list):
        return [finite_or_not(each) for each in value]
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_golden_case_holds(case):
    assert case["fn"] in CODE, f"no code is mapped to the function {case['fn']!r} of case {case['id']!r}"
    inputs = {name: finite_or_not(value) for name, value in case["inputs"].items()}
    if "error" in case["expected"]:
        with pytest.raises(statistics.InvalidMeasurement) as refused:
            CODE[case["fn"]](**inputs)
        assert refused.value.code == case["expected"]["error"]
        return
    answer = CODE[case["fn"]](**inputs)
    for name, expected in case["expected"].items():
        assert same(answer[name], finite_or_not(expected), case["tol"]), f"{name}: {answer[name]!r}, expected {expected!r}"


def same(answer, expected, tolerance):
    if isinstance(expected, list):
        return len(answer) == len(expected) and all(map(same, answer, expected, [tolerance] * len(expected)))
    if expected is None or isinstance(expected, str | bool):
        return answer == expected
    return answer == pytest.approx(expected, abs=max(tolerance, 1e-12), rel=0, nan_ok=True)
