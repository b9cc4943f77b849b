"""One strict reader for the JSON of every door: the same bytes mean the same to everyone, or are refused. Plain Python.

Refused, with a sentence: what is not JSON or not UTF-8, NaN and the infinities, a name that stands twice in one object, nesting deeper than
DEPTH, whole numbers that no double can hold, NUL characters and half surrogates, which databases store differently or not at all.
`read_log` is for the logs of evaluation harnesses: there NaN and the infinities, written where nothing was scored, become None, and a text
may hold anything; `unstorable` looks at what is to be stored of it.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import Any

import msgspec
import orjson

DEPTH = 64
QUICK = 1 << 18  # bytes of a log's document that may be built before its depth is counted
DIGITS = 309  # of the largest double
FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
ITEMS = re.compile(TOKEN.pattern + b"|,", re.DOTALL)
MANY = 500_000  # commas: so many items are built in a moment
GAP = re.compile(rb'"[ \t\r\n]+:')
TOO_DEEP = f"The JSON is nested deeper than {DEPTH} levels."
NUL = b"\\u0000"
NAME = b'":'  # as often as there are names, and once more for each text that holds such a sign

Single = None | bool | int | float | str
Flat: Any = Single
for _ in range(6):
    Flat = Single | list[Flat] | dict[str, Flat]  # built level by level
FLAT_ARRAY = msgspec.json.Decoder(list[Flat])

Keep = Callable[[dict[str, Any]], Any]
Pairs = list[tuple[str, Any]]


class NotStrict(ValueError):
    """The JSON cannot be read, or could be read in two ways; the text is a sentence that says why."""


def read(raw: bytes) -> Any:
    """The content of one JSON document; raises NotStrict."""
    try:
        content = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise NotStrict(f"The body is not valid JSON: {wrong}.") from None
    except RecursionError:
        raise NotStrict(TOO_DEEP) from None
    if not _plain(raw, content):
        _examined(raw)
    return content


def read_lines(body: bytes) -> Iterator[tuple[int, Any]]:
    """The number, from 1, and the content of each line of JSON Lines that is not blank, or NotStrict in its place."""
    for number, line in enumerate(BytesIO(body), start=1):  # one at a time: who reads too many of them stops
        if not line.isspace():
            yield number, _or_fault(line.removesuffix(b"\n"))


def read_items(body: bytes) -> Iterator[tuple[int, Any]]:
    """The position, from 0, and the content of each item of a JSON array, or NotStrict in its place; raises NotStrict for no array."""
    if (quick := _read_array_quickly(body)) is not None:
        return iter(enumerate(quick))
    try:
        items = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise NotStrict(f"The body is not a JSON array: {wrong}.") from None
    except RecursionError:
        raise NotStrict(TOO_DEEP) from None
    return ((position, _or_fault(bytes(item))) for position, item in enumerate(items))


def _read_array_quickly(body: bytes) -> list[Any] | None:
    """The items of an array that are all flat and surely strict; None says nothing of it, and each is to be read by itself."""
    try:
        items = FLAT_ARRAY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return items if _names_once(body, items) else None


def has_more_items(body: bytes, most: int) -> bool:
    """Whether an array that is too long to be read at once has more than `most` items; found out before any is built."""
    depth = found = 0
    for token in ITEMS.finditer(body) if body.count(b",") > MANY else ():
        sign = body[token.start()]
        depth += (sign in b"[{") - (sign in b"]}")
        found += depth == 1 and sign in b","
        if found >= most:
            return True
    return False


def read_log(raw: bytes, keep: Keep | None = None, deepest: int = DEPTH) -> Any:
    """The content of a JSON document out of a log; `keep` may reduce each object as soon as it is read. Raises NotStrict.

    Objects are read from the inside out, so `keep` sees reduced parts.
    """
    if keep is None and deepest >= DEPTH and (content := read_quickly(raw)) is not None:
        return content
    if (depth := _depth(raw)) > deepest:
        raise NotStrict(f"The JSON is nested {depth} levels deep; {deepest} are read.")
    return _built(raw, keep)


def _built(raw: bytes, keep: Keep | None) -> Any:
    """The content, read with a look at every part."""
    try:
        return json.loads(raw.decode(), object_pairs_hook=partial(_once, keep), parse_constant=lambda _: None, parse_float=_number)
    except UnicodeDecodeError as wrong:
        raise NotStrict(f"It is not UTF-8 at byte {wrong.start}.") from None
    except json.JSONDecodeError as wrong:
        raise NotStrict(f"It is not JSON: {wrong.msg} at line {wrong.lineno} column {wrong.colno}.") from None
    except NotStrict:
        raise
    except (ValueError, RecursionError) as wrong:
        raise NotStrict(f"The JSON cannot be read: {wrong}.") from None


def read_quickly(raw: bytes) -> Any:
    """The content of a small document that any strict reader reads alike; None says nothing of it, and the look must be taken."""
    if len(raw) > QUICK:
        return None
    try:
        content = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return content if _plain(raw, content) else None


def unstorable(content: Any) -> bool:
    """Whether a text in it holds a NUL character or half a surrogate pair."""
    try:
        if NUL not in orjson.dumps(content):
            return False
    except TypeError:  # half a pair, or what only the look can tell
        pass
    waiting = [content]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, str) and FORBIDDEN.search(part):
            return True
    return False


def _or_fault(raw: bytes) -> Any:
    try:
        return read(raw)
    except NotStrict as fault:
        return fault


def _plain(raw: bytes, content: Any) -> bool:
    """Whether it is surely as strict as it must be, without a look at every part; a No only means that the look must be taken.

    Written anew, the content has as many names as the body unless one of them stood twice. That holds where the signs that are
    counted cannot be written otherwise: no escapes of ASCII (NUL among them), no gap between a name and its colon.
    """
    return _names_once(raw, content) and (raw.count(b"[") + raw.count(b"{") <= DEPTH or _shallow(content))


def _names_once(raw: bytes, content: Any) -> bool:
    """Whether surely no name stands twice in an object, and no text holds a NUL."""
    if b"\\u00" in raw or (_may_have_gaps(raw) and GAP.search(raw)):
        return False
    try:
        written = orjson.dumps(content)
    except TypeError:  # a whole number beyond 64 bits, or 255 levels
        return False
    return written.count(NAME) == raw.count(NAME)


def _may_have_gaps(raw: bytes) -> bool:
    """Whether some sign of a gap stands before a colon: one of them is in every gap between a name and its colon."""
    return b" :" in raw or b"\t:" in raw or b"\r:" in raw or b"\n:" in raw


def _shallow(content: Any) -> bool:
    """Whether it has at most DEPTH levels."""
    level = [content]
    for _ in range(DEPTH):
        level = [inner for part in level for inner in _inside(part) if type(inner) is dict or type(inner) is list]
        if not level:
            return True
    return False


def _inside(part: Any) -> Any:
    return part.values() if type(part) is dict else part if type(part) is list else ()


def _examined(raw: bytes) -> None:
    """Look at every part of a valid document; raises NotStrict."""
    if _depth(raw) > DEPTH:
        raise NotStrict(TOO_DEEP)
    if unstorable(json.loads(raw, object_pairs_hook=partial(_once, None), parse_int=_whole)):
        raise NotStrict("A text in the body holds a NUL character; remove it.")


def _once(keep: Keep | None, pairs: Pairs) -> Any:
    """The object with these names, each of which may stand in it once: readers differ in which of two they believe."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise NotStrict(f"The name '{next(name for name in names if names.count(name) > 1)[:80]}' stands twice in one object.")
    return keep(found) if keep else found


def _whole(text: str) -> int:
    if len(text) > DIGITS + 1 or not math.isfinite(float(text)):
        raise NotStrict(f"A whole number has {len(text.lstrip('-'))} digits; no double can hold it.")
    return int(text)


def _number(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _depth(raw: bytes) -> int:
    """How deep the brackets go, counted before anything is built: a million brackets must not cost a million objects."""
    deepest = depth = 0
    for found in TOKEN.finditer(raw):
        sign = raw[found.start()]
        if sign in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in b"]}":
            depth -= 1
    return deepest
