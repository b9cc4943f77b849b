import pytest
from django.core.exceptions import ImproperlyConfigured

from fsf import settings as module

LONG = "a-long-enough-pepper"


@pytest.mark.parametrize(
    ("first", "more", "peppers"),
    [
        ("", "", {1: module.SECRET_KEY}),
        ("plain", "", {1: "plain"}),
        ("plain", f"2:{LONG}", {1: "plain", 2: LONG}),
        ("", f"3:{LONG}:with:colons, 2:{LONG}", {2: LONG, 3: f"{LONG}:with:colons"}),
    ],
)
def test_peppers_are_read_by_number(monkeypatch, first, more, peppers):
    monkeypatch.setenv("FSF_TOKEN_PEPPER", first)
    monkeypatch.setenv("FSF_TOKEN_PEPPERS", more)
    assert module._peppers() == peppers


@pytest.mark.parametrize("more", [LONG, f"x:{LONG}", f"0:{LONG}", f"1:{LONG}", "2:short", f"2:{LONG},2:{LONG}", f"10000:{LONG}", "2:"])
def test_odd_peppers_are_refused_and_not_repeated(monkeypatch, more):
    monkeypatch.setenv("FSF_TOKEN_PEPPER", "plain")
    monkeypatch.setenv("FSF_TOKEN_PEPPERS", more)
    with pytest.raises(ImproperlyConfigured) as wrong:
        module._peppers()
    assert LONG not in str(wrong.value)


@pytest.mark.parametrize(
    ("said", "hops"),
    [("", 0), ("no", 0), ("off", 0), ("0", 0), ("false", 0), ("yes", 1), ("On", 1), ("true", 1), ("ok", 1), ("1", 1), ("2", 2), ("9", 9)],
)
def test_proxies_are_counted(said, hops):
    assert module._proxies(said) == hops


@pytest.mark.parametrize("said", ["10", "-1", "maybe", "1.5", "10.0.0.1"])
def test_an_odd_number_of_proxies_is_refused(said):
    with pytest.raises(ImproperlyConfigured, match="how many proxies"):
        module._proxies(said)
