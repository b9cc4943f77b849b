"""One way to write content as JSON, so that equal content has an equal digest. Plain Python."""

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec
import orjson

PLAIN = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
SORTED = msgspec.json.Encoder(order="sorted")
FEWEST, MOST = 1e-4, 1e15  # between them every writer writes a number alike, without an exponent
OTHERWISE = re.compile(rb"[:,\[]-?(?:[0-9.]+e|0\.0000)")  # a number with an exponent, or one that the plain writer gives one


def canonical(content: dict[str, Any]) -> bytes:
    """JSON with sorted names, no spaces and no signs but ASCII; the fast writer writes the same, but for other signs and for numbers
    with an exponent."""
    quick = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return quick if has_plain_signs(quick) and OTHERWISE.search(quick) is None else PLAIN.encode(content).encode()


def has_plain_signs(written: bytes) -> bool:
    """Whether all that a fast writer wrote are signs that every writer writes so."""
    return written.isascii() and b"\x7f" not in written


def has_plain_numbers(values: Iterable[Any]) -> bool:
    """Whether every writer writes the numbers among these values, or in the lists among them, alike."""
    for value in values:
        kind = type(value)
        if kind is float and value and not FEWEST <= abs(value) < MOST:
            return False
        if kind is list and not has_plain_numbers(value):
            return False
    return True
