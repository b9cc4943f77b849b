"""One strict reader for every JSON body, and the fast renderer for every answer.

Refused, with the reason and never as a server error: what is not JSON, NaN and infinities, NUL characters, lone surrogates,
a name that stands twice in one object, nesting deeper than 64, bodies over a megabyte.
"""

import json
import re
from collections.abc import Mapping
from typing import IO, Any

import msgspec
import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

DEPTH = 64
NAME = re.compile(rb'"[ \t\n\r]*:')  # as often as there are names, or more often where texts hold such a sign


def read(raw: bytes) -> Any:
    """The content of a JSON body; raises ParseError with a sentence."""
    try:
        content = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise ParseError(f"The body is not valid JSON: {wrong}.") from None
    except RecursionError:
        raise ParseError(f"The body is nested deeper than {DEPTH} levels.") from None
    if _check(content) != sum(1 for _ in NAME.finditer(raw)):
        json.loads(raw, object_pairs_hook=_once)
    return content


def _once(pairs: list[tuple[str, Any]]) -> None:
    """Readers differ in which of two equal names they believe, so neither is believed."""
    if len({name for name, _ in pairs}) < len(pairs):
        names = [name for name, _ in pairs]
        raise ParseError(f"The name '{next(name for name in names if names.count(name) > 1)}' stands twice in one object.")


def _check(content: Any) -> int:
    """How many names its objects hold; raises ParseError for what is nested too deep and for NUL characters."""
    level, names = [content], 0
    for _ in range(DEPTH + 1):
        if any("\x00" in part for part in level if isinstance(part, str)):
            raise ParseError("A text in the body holds a NUL character; remove it.")
        names += sum(map(len, filter(_is_object, level)))
        level = [inner for part in level for inner in _inside(part)]
    if level:
        raise ParseError(f"The body is nested deeper than {DEPTH} levels.")
    return names


def _is_object(part: Any) -> bool:
    return isinstance(part, dict)


def _inside(part: Any) -> list[Any]:
    if isinstance(part, dict):
        return [*part.keys(), *part.values()]
    return part if isinstance(part, list) else []


class StrictJSONParser(BaseParser):
    """Reads application/json bodies."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(most + 1)
        if len(raw) > most:
            raise ParseError(f"The body is larger than {most} bytes.")
        return read(raw)


class JSONRenderer(BaseRenderer):
    """Writes JSON; errors carry their own media type."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None) -> bytes:
        if data is None:
            return b""
        try:
            return _dump(data)
        except TypeError:
            return _dump(_narrowed(data))


def _dump(data: Any) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS, default=str)


def _narrowed(data: Any) -> Any:
    """The same with whole numbers beyond 64 bits as doubles again: PostgreSQL gives a stored 1e300 back with all its digits."""
    if isinstance(data, Mapping):
        return {key: _narrowed(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_narrowed(value) for value in data]
    return float(data) if isinstance(data, int) and not -(2**63) <= data < 2**64 else data
