import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thresholds.pooling import judge_looks, pool
from thresholds.tallies import Look, Looks, gathered
from thresholds.verdicts import Line
from thresholds.weighing import Measurement

ALERT = Line("alert", 0.2)
NAMES = ["a", "b", "c", "d"]


@st.composite
def looks(draw):
    """A run by its totals or by named tasks, whole or cut short."""
    complete = draw(st.booleans())
    if draw(st.booleans()):
        return Look(
            Measurement("proportion", solved=draw(st.integers(0, 40)), total=60, errored=draw(st.integers(0, 5))), complete=complete
        )
    tasks = {name: (draw(st.sampled_from([0.0, 1 / 3, 1.0])), draw(st.integers(1, 3))) for name in NAMES}
    return Look(Measurement("proportion", solved=sum(mean for mean, _ in tasks.values()), total=len(tasks)), tasks, complete)


@given(st.lists(looks(), max_size=6), st.randoms(use_true_random=False), st.sampled_from([None, 4]))
def test_the_order_of_the_looks_makes_no_difference(some, random, declared):
    before = pool(some, ALERT, declared)
    random.shuffle(some)
    assert pool(some, ALERT, declared) == before


@given(st.lists(looks(), max_size=6), st.sampled_from([None, 4]))
def test_what_was_kept_as_json_says_the_same_and_takes_one_look_more(some, declared):
    kept = gathered(some[:-1], ALERT)
    read = Looks.of_json(json.loads(json.dumps(kept.as_json())))
    assert read == kept
    if some:
        assert judge_looks(read.plus(some[-1], ALERT), ALERT, declared) == pool(some, ALERT, declared)


@given(looks(), st.integers(1, 5))
def test_looks_that_say_the_same_are_added_at_once(look, times):
    at_once, one_by_one = Looks().plus(look, ALERT, times), gathered([look] * times, ALERT)
    assert judge_looks(at_once, ALERT, None) == judge_looks(one_by_one, ALERT, None)


def test_values_add_up_by_their_logarithm_where_they_are_compared_so():
    minutes = [Look(Measurement("minutes", value=value, ci_low=value / 2, ci_high=value * 2, scale="log")) for value in (40.0, 90.0)]
    assert pool(minutes, Line("alert", 240.0), None).value == 60.0


def test_what_all_looks_share_is_kept_once():
    whole = Looks().plus(Look(Measurement("proportion", solved=1, total=60)), ALERT)
    assert list(whole.as_json()) == ["every"]
    assert list(whole.plus(Look(Measurement("proportion", solved=1, total=60), complete=False), ALERT).as_json()) == ["every", "against"]


def test_where_it_cannot_be_told_which_tasks_are_which_the_totals_count():
    by_name = [Look(Measurement("proportion", solved=0, total=30), {f"{part}{n}": (0.0, 1) for n in range(30)}) for part in "ab"]
    named = gathered(by_name, ALERT)
    assert judge_looks(named, ALERT, None).value > judge_looks(named.unnamed(), ALERT, None).value


def minutes(value, factor):
    """A run whose value is known to within a factor."""
    return Look(Measurement("minutes", value=value, ci_low=value / factor, ci_high=value * factor, scale="log"))


@pytest.mark.parametrize("some", [[minutes(60.0, 1.1), minutes(60.0, 6.0)], [minutes(60.0, 6.0), minutes(60.0, 1.1)]])
def test_a_narrow_value_does_not_hide_how_wide_another_is(some):
    line = Line("alert", 240.0)
    narrow, wide = (pool([minutes(60.0, factor)] * 2, line, 2) for factor in (1.1, 6.0))
    assert (narrow.clears, wide.clears) == (True, False)
    assert pool(some, line, 2) == wide


@pytest.mark.parametrize("unnamed_first", [True, False])
def test_what_a_look_without_names_solved_is_not_lost_among_named_tasks(unnamed_first):
    named = Look(Measurement("proportion", solved=0, total=30), {f"task {n}": (0.0, 1) for n in range(30)})
    unnamed = Look(Measurement("proportion", solved=15, total=30))
    assert pool([named, named], ALERT, None).clears
    found = gathered([unnamed, named] if unnamed_first else [named, unnamed], ALERT)
    assert found.every.named is None
    assert judge_looks(found, ALERT, None) == judge_looks(found.unnamed(), ALERT, None)
    assert not judge_looks(found, ALERT, None).clears
