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
from accounts.tokens import ROWS, Bearer, check, is_unseen, latest, parts_of, row_of

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
    try:
        key, secret = parts_of(text)
        row = latest.get(key)
        if row is None or is_unseen(row, now):
            return None
        return Proof(check(secret, row, now, address), row)
    except Refused:
        return None


def held(proofs: Iterable[Proof], found: Iterable[tuple[Any, ...]]) -> set[int]:
    """The `id` of each proof whose row, as `PROOFS` found it for its key, is what it was proven by; each for itself, for two of one token
    may have been proven before and after a change."""
    rows = {row["key"]: row for row in map(row_of, found)}
    return {id(proof) for proof in proofs if _same(proof.row, rows.get(proof.bearer.key))}


def _same(row: dict[str, Any], now: dict[str, Any] | None) -> bool:
    return now is not None and {**now, "last_used": None} == {**row, "last_used": None}
