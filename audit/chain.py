"""The hash chain: plain functions that an auditor can run on an export without this product.

An entry's hash is SHA-256 over a zero byte and the canonical JSON of its fields, the previous hash among them
(the leaf form of RFC 6962), so that a changed, removed or inserted entry breaks every hash after it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

GENESIS = "0" * 64
PLACE = ("previous_hash", "seq")  # the last two of the sorted names


def canonical(content: Mapping[str, Any]) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8, finite numbers only (ValueError otherwise)."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def entry_hash(fields: Mapping[str, Any]) -> str:
    """Hex hash of one entry's fields: seq, at, actor_kind, actor, actor_id, action, about, data, previous_hash."""
    return hashlib.sha256(b"\x00" + canonical(fields)).hexdigest()


def unfinished(fields: Mapping[str, Any]) -> str:
    """The canonical JSON of an entry up to what its place in the chain decides: `"previous_hash":"...","seq":...}` completes it."""
    return canonical({name: value for name, value in fields.items() if name not in PLACE}).decode()[:-1] + ","


def first_broken(entries: Iterable[tuple[Mapping[str, Any], str]]) -> int | None:
    """The sequence number of the first entry that does not follow from the one before it, or None where all hold."""
    previous, expected = GENESIS, 1
    for fields, stored in entries:
        if fields["seq"] != expected or fields["previous_hash"] != previous or entry_hash(fields) != stored:
            return expected
        previous, expected = stored, expected + 1
    return None
