"""One way to write content as JSON, so that equal content has an equal digest. Plain Python."""

import json
import re
from typing import Any

import orjson

PLAIN = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
EXPONENT = re.compile(rb"[:,\[]-?[0-9.]+e")


def canonical(content: dict[str, Any]) -> bytes:
    """JSON with sorted names, no spaces and no signs but ASCII; the fast writer writes the same, but for other signs and for exponents."""
    quick = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    if quick.isascii() and b"\x7f" not in quick and EXPONENT.search(quick) is None:
        return quick
    return PLAIN.encode(content).encode()
