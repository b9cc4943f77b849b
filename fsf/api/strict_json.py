"""JSON at the API's door: the strict reader of `evals.strict_json` for bodies, and the fast renderer for every answer."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from evals import strict_json
from evals.strict_json import NotStrict


class TooLarge(APIException):
    """The body is larger than this address takes."""

    status_code = 413

    def __init__(self, most: int) -> None:
        super().__init__(f"The body is larger than {most} bytes, the most that this address takes. Send it in parts.")


def read(raw: bytes) -> Any:
    """The content of a JSON body; raises ParseError with a sentence."""
    try:
        return strict_json.read(raw)
    except NotStrict as wrong:
        raise ParseError(str(wrong)) from None


def body_of(stream: IO[bytes], most: int) -> bytes:
    """The whole body; raises TooLarge where it has more than `most` bytes, having read no more than one of them."""
    raw = stream.read(most + 1)
    if len(raw) > most:
        raise TooLarge(most)
    return raw


class StrictJSONParser(BaseParser):
    """Reads application/json bodies."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return read(body_of(stream, settings.DATA_UPLOAD_MAX_MEMORY_SIZE))


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
