from fsf.web.distance import Score, distance_text, numbers_text


def score(point, alert=None, critical=None, **more):
    return Score(point, more.pop("lower", None), more.pop("upper", None), alert, critical, **more)


def test_below_the_alert_line_the_distance_is_to_alert():
    assert distance_text(score(0.18, 0.25)) == "\u22120.07 to alert"


def test_over_the_alert_line_the_distance_is_to_critical_where_one_is_drawn():
    assert distance_text(score(0.5, 0.25)) == "+0.25 over alert"
    assert distance_text(score(0.5, 0.25, 0.8)) == "\u22120.30 to critical"
    assert distance_text(score(0.9, 0.25, 0.8)) == "+0.10 over critical"


def test_where_lower_is_stronger_the_direction_turns():
    assert distance_text(score(0.8, 0.9, lower_is_stronger=True)) == "+0.10 over alert"
    assert distance_text(score(0.95, 0.9, lower_is_stronger=True)) == "\u22120.05 to alert"


def test_a_rule_out_line_is_not_called_an_alert_line():
    assert distance_text(score(0.5, 0.6, early="rule_out")) == "\u22120.10 to rule-out line"
    assert distance_text(score(0.7, 0.6, early="rule_out")) == "+0.10 over rule-out line"
    said = numbers_text(score(0.5, 0.6, lower=0.4, upper=0.65, early="rule_out"))
    assert said == "0.50 (interval 0.40\u20130.65), rule-out line 0.60, only the upper bound reaches the rule-out line"


def test_without_a_score_or_a_line_there_is_no_distance():
    assert distance_text(score(None, 0.25)) == ""
    assert distance_text(score(0.5)) == ""


def test_the_numbers_say_when_only_the_bound_reaches_the_line():
    said = numbers_text(score(0.1, 0.25, lower=0.02, upper=0.3))
    assert said == "0.10 (interval 0.02\u20130.30), alert line 0.25, only the upper bound reaches the alert line"


def test_a_score_just_over_its_line_does_not_read_the_same_as_the_line():
    assert numbers_text(score(0.604, 0.6)) == "0.604, no interval, alert line 0.60"
