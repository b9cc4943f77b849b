"""What every judgement asks of the database, by statements that stay the same whatever the number of rows; PostgreSQL only.

Each says what the ORM's way beside it says, which stays for other databases and as the measure.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

from django.db import connection

from database.asking import ask_all, is_quick, tell
from database.wire import Question
from evals.models import Evaluation
from evals.prepared import Unwritable, in_order, in_parts, made, quoted, told, written
from thresholds.models import Equivalence, LevelStatus


@cache
def _places() -> str:
    return f"""SELECT {quoted(LevelStatus, of="s")} FROM unnest(%s::bigint[], %s::bigint[]) AS u (checkpoint, level)
        JOIN thresholds_levelstatus s ON s.checkpoint_id = u.checkpoint AND s.level_id = u.level
        ORDER BY s.level_id, s.checkpoint_id FOR UPDATE OF s"""  # noqa: S608 - names of columns only


def places_question(places: Iterable[tuple[int, int]]) -> Question:
    """What `lock_places` asks."""
    checkpoints, levels = zip(*sorted(places), strict=True)
    return _places(), (list(checkpoints), list(levels))


def lock_places(places: Collection[tuple[int, int]]) -> list[LevelStatus]:
    """The rows of some places, checkpoint and level, locked in the order of levels and checkpoints."""
    return made(LevelStatus, ask_all(places_question(places))[0])


@cache
def _update(names: tuple[str, ...], count: int) -> str:
    fields = in_order(LevelStatus, ("id", *names))
    columns = [f'"{field.column}"' for field in fields if not field.primary_key]
    return f"""UPDATE thresholds_levelstatus s SET ({", ".join(columns)}) = ROW({", ".join([f"r.{column}" for column in columns])})
        FROM {told(fields, count)} WHERE s.id = r.id"""  # noqa: S608 - as above


def write_rows(statuses: Sequence[LevelStatus], names: tuple[str, ...]) -> None:
    """Bring these fields of locked rows up to date; raises Unwritable where the ORM must."""
    if not is_quick():
        raise Unwritable(connection.vendor)
    for values, count in in_parts(written(statuses, ("id", *names))):
        tell(_update(names, count), *values)


HEIRS = f"""SELECT id FROM {Equivalence._meta.db_table} WHERE source_id = ANY(%s::bigint[]) AND ended IS NULL
    ORDER BY id FOR NO KEY UPDATE"""  # noqa: S608, SLF001 - the name of a table
VALIDITY = f"SELECT id, validity FROM {Evaluation._meta.db_table} WHERE id = ANY(%s::bigint[])"  # noqa: S608, SLF001 - as above


def heirs_question(sources: Iterable[int]) -> Question:
    """What `lock_heirs` asks."""
    return HEIRS, [sorted(sources)]


def validity_question(evaluations: Iterable[int]) -> Question:
    """What `validity_of` asks."""
    return VALIDITY, [sorted(evaluations)]


def validity_of(evaluations: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """By evaluation what was found out about it, as it stands now; on every database."""
    if not is_quick():
        return dict(Evaluation.objects.filter(pk__in=evaluations).values_list("pk", "validity"))
    return {pk: json.loads(found) for pk, found in ask_all(validity_question(evaluations))[0]}


def lock_heirs(sources: Iterable[int]) -> list[int]:
    """The ids of the live equivalences to these checkpoints, locked in their order."""
    return [pk for (pk,) in ask_all(heirs_question(sources))[0]]
