import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.chain import GENESIS, canonical, entry_hash, first_broken

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


def chain(*actions):
    entries, previous = [], GENESIS
    for seq, action in enumerate(actions, 1):
        fields = {"seq": seq, "action": action, "previous_hash": previous}
        previous = entry_hash(fields)
        entries.append((fields, previous))
    return entries


@pytest.mark.parametrize(
    ("content", "bytes_"),
    [
        ({"b": 1, "a": [1.5, None, True]}, b'{"a":[1.5,null,true],"b":1}'),
        ({"ü": "é"}, '{"ü":"é"}'.encode()),
        ({}, b"{}"),
    ],
)
def test_canonical_json_is_sorted_tight_and_utf_8(content, bytes_):
    assert canonical(content) == bytes_


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_no_json_has_no_canonical_form(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": number})


def test_a_hash_is_that_of_a_leaf():
    assert entry_hash({"a": 1}) == hashlib.sha256(b'\x00{"a":1}').hexdigest()


def test_a_whole_chain_holds_and_so_does_an_empty_one():
    assert first_broken(chain("a", "b", "c")) is None
    assert first_broken([]) is None


def changed(entries, index, **fields):
    return [({**content, **fields}, hash_) if at == index else (content, hash_) for at, (content, hash_) in enumerate(entries)]


@pytest.mark.parametrize(
    ("spoil", "broken"),
    [
        (lambda whole: changed(whole, 1, action="x"), 2),
        (lambda whole: changed(whole, 0, previous_hash="1" * 64), 1),
        (lambda whole: whole[1:], 1),
        (lambda whole: [whole[0], whole[2]], 2),
        (lambda whole: [whole[1], whole[0], whole[2]], 1),
        (lambda whole: [whole[0], whole[0], *whole[1:]], 2),
        (lambda whole: [*whole[:2], (whole[2][0], "0" * 64)], 3),
        (lambda whole: [*whole, chain("a", "b", "c", "x")[3]], None),
        (lambda whole: [*whole, *chain("x")], 4),
    ],
)
def test_the_first_entry_that_does_not_follow_is_named(spoil, broken):
    assert first_broken(spoil(chain("a", "b", "c"))) == broken


def test_an_entry_rewritten_with_its_own_hash_breaks_the_next_one():
    whole = chain("a", "b", "c")
    forged = {**whole[1][0], "action": "x"}
    assert first_broken([whole[0], (forged, entry_hash(forged)), whole[2]]) == 3


@given(st.lists(JSON, min_size=1, max_size=4), st.data())
def test_any_change_of_any_field_is_found(contents, data):
    whole = chain(*contents)
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(JSON.filter(lambda value: canonical({"a": value}) != canonical({"a": contents[at]})))
    assert first_broken(changed(whole, at, action=other)) == at + 1
