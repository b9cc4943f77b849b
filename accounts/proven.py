"""Tokens that this process proved a moment ago: proved again from memory, and held against their rows by whoever acts on them.

The rows are asked for in the transaction that acts, with whatever else that asks, so a token that was revoked, restricted or whose
owner was stopped is refused as soon as that is committed; only the question of its own is saved.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from accounts.networks import Address
from accounts.roles import Refused
from accounts.tokens import ROWS, Bearer, admit, is_proven, is_unseen, latest, row_of

PROOFS = f"{ROWS} WHERE token.key = ANY(%s::text[])"  # PostgreSQL only


class TokenChanged(Refused):
    """The token is not what it was when it was proven; it must be asked about anew."""

    def __init__(self) -> None:
        super().__init__("The token was changed or ended meanwhile.")


@dataclass(frozen=True, slots=True)
class Proof:
    """A bearer, and the row of the token that it was proven by."""

    bearer: Bearer
    row: dict[str, Any]


def prove_from_memory(*, text: str, now: dt.datetime, address: Address | None) -> Proof | None:
    """The bearer of a token as this process saw it last; None where it must be asked about: unknown here, wrong, ended, or to be seen."""
    parts = text.split("_", 3)
    seen = latest.get(parts[2]) if len(parts) == 4 else None
    if seen is None or is_unseen(seen.row, now) or not is_proven(text, seen):
        return None
    try:
        admit(seen.bearer, seen.row, now, address)
    except Refused:
        return None
    return Proof(seen.bearer, seen.row)


def held(proofs: Iterable[Proof], found: Iterable[tuple[Any, ...]]) -> set[int]:
    """The `id` of each proof whose row, as `PROOFS` found it for its key, is what it was proven by; each for itself, for two of one token
    may have been proven before and after a change."""
    rows, given = {row["key"]: row for row in map(row_of, found)}, list(proofs)
    proven_by = {id(proof.row): proof.row for proof in given}  # most proofs of a token share one
    same = {name for name, row in proven_by.items() if _same(row, rows.get(row["key"]))}
    return {id(proof) for proof in given if id(proof.row) in same}


def _same(row: dict[str, Any], now: dict[str, Any] | None) -> bool:
    return now is not None and {**now, "last_used": None} == {**row, "last_used": None}
