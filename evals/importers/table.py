"""Any CSV, TSV or JSON Lines with one run per row, read by a mapping file (`--mapping`) that says which column is what. Plain Python.

The mapping is a JSON object; a text names a column (in JSON Lines also `outer.inner`), and {"fixed": ...} stands for itself in every row:

    {
      "producer": {"name": "lab-pipeline", "version": "4"},     required; the name makes external ids unique
      "external_id": "run",                                     optional; without it, the SHA-256 of the file and the row's number
      "checkpoint": "model", "evaluation": {"fixed": "cyber-suite@2"},      required, unless the caller names them
      "status": "state", "started": "begin", "completed": "end", "relationship": {"fixed": "third_party"},         optional
      "measurements": [{"metric": "accuracy", "value": "acc", "stderr": "se", "n_tasks": "n"}],                    required
      "coverage": {"planned": "n", "completed": "done", "scored": "scored", "unscored": ..., "errored": ..., "limit_hit": ...},
      "elicitation": {"attested_by": "who"}, "provenance": {"commit": "sha"},
      "delimiter": ";"                                          optional: tab where the header has one, otherwise comma
    }

A measurement takes value, solved, total, n_tasks, stderr, ci_low, ci_high, ci_level, and "direction": "higher" or "lower", which says which
way is more capable and is refused where the evaluation is declared otherwise. Empty cells and NaN, NA, N/A, null and None are no
numbers: a measurement without any is unscored. Times are seconds since 1970 or RFC 3339 with an offset. Errors name row and column.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from evals.importers import UNSCORED, Options, Unreadable
from evals.importers.json_lines import lines
from evals.importers.naming import LONGEST, digest_of, moment, number, said

NAME = "table"
ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson")
DIVIDERS = (b",", b"\t", b";", b"|")
TEXTS, TIMES = ("external_id", "checkpoint", "evaluation", "status", "relationship"), ("started", "completed")
COUNTS = frozenset({"total", "n_tasks", "planned", "completed", "scored", "unscored", "errored", "limit_hit"})
NUMBERS = ("value", "solved", "total", "n_tasks", "stderr", "ci_low", "ci_high", "ci_level")
DIRECTIONS = ("higher", "lower")
COVERAGE = ("planned", "completed", "scored", "unscored", "errored", "limit_hit")
KNOWN = frozenset({*TEXTS, *TIMES, "producer", "measurements", "coverage", "elicitation", "provenance", "delimiter"})
BOM = b"\xef\xbb\xbf"
NOTHING = frozenset({"", "nan", "na", "n/a", "null", "none"})
LONGEST_CELL, LARGEST_TABLE = 100_000, 64 << 20
IN_MAPPING = "See the documentation of evals.importers.table for the form of a mapping."
IN_ROW = "Correct the row, or the mapping."


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line in the file, and its cells by column."""

    line: int
    cells: Mapping[str, Any]

    def cell(self, wanted: Any) -> Any:
        """The content of a cell, None where it is empty; raises Unreadable where there is no such column."""
        if isinstance(wanted, dict):
            return wanted["fixed"]
        found: Any = self.cells
        for part in [wanted] if wanted in self.cells else wanted.split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise self.wrong(wanted, f"There is no such column; there are: {', '.join(list(self.cells)[:20])}.")
            found = found[part]
        return None if isinstance(found, str) and found.strip().lower() in NOTHING else found

    def wrong(self, wanted: Any, reason: str) -> Unreadable:
        """The refusal of a cell: row, column, why."""
        column = f"column '{wanted}'" if isinstance(wanted, str) else "a fixed value of the mapping"
        return Unreadable(reason, place=f"row {self.line}, {column}", remedy=IN_ROW)


def recognises(name: str, head: bytes) -> bool:
    """Text that is called a table, or is divided like one: objects on its lines, or as many cells in the first two of them."""
    if b"\0" in head or head.startswith((b"PK\x03\x04", b"\xff")):
        return False
    rows = [row for row in head.removeprefix(BOM).splitlines() if row.strip()][:2]
    return bool(rows) and (name.lower().endswith(ENDINGS) or _has_objects(rows) or _is_divided(rows))


def _has_objects(rows: list[bytes]) -> bool:
    return all(row.strip().startswith(b"{") and row.strip().endswith(b"}") for row in rows)


def _is_divided(rows: list[bytes]) -> bool:
    return len(rows) == 2 and any(rows[0].count(sign) == rows[1].count(sign) > 0 for sign in DIVIDERS)


def read(name: str, content: IO[bytes], options: Options) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - the contract
    """A run for each row; raises Unreadable."""
    mapping = _checked(options.mapping, options)
    digest = digest_of(content)
    head = content.readline(LONGEST_CELL)
    content.seek(0)
    rows = _json_rows(content) if head.removeprefix(BOM).lstrip().startswith(b"{") else _csv_rows(content, mapping)
    empty = True
    for row in rows:
        empty = False
        yield _submission(row, mapping, options, digest)
    if empty:
        raise Unreadable("It has no row below its header.", remedy="A table without rows has nothing to import.")


def _checked(mapping: Mapping[str, Any] | None, options: Options) -> Mapping[str, Any]:
    """The mapping, if it is of the documented form."""
    if mapping is None:
        raise Unreadable("A table needs a mapping that says which column is what.", remedy="Give it with --mapping.")
    faults = [*_name_faults(mapping, options), *_part_faults(mapping), *_measurement_faults(mapping.get("measurements"))]
    if faults:
        raise Unreadable(" ".join(faults), place="mapping", remedy=IN_MAPPING)
    return mapping


def _name_faults(mapping: Mapping[str, Any], options: Options) -> Iterator[str]:
    yield from (f"'{name}' is not known." for name in mapping if name not in KNOWN)
    yield from (f"'{name}' is missing." for name in ("checkpoint", "evaluation") if name not in mapping and not getattr(options, name))
    if not _is_named(mapping.get("producer")):
        yield "'producer' needs a name."
    for name in (*TEXTS, *TIMES):
        if not _refers(mapping.get(name, "")):
            yield f"'{name}' names neither a column nor {{\"fixed\": ...}}."


def _is_named(producer: Any) -> bool:
    return isinstance(producer, dict) and bool(producer.get("name")) and all(isinstance(part, str) for part in producer.values())


def _refers(wanted: Any) -> bool:
    return isinstance(wanted, str) or (isinstance(wanted, dict) and [*wanted] == ["fixed"])


def _measurement_faults(items: Any) -> list[str]:
    if not isinstance(items, list) or not items:
        return ["'measurements' needs at least one."]
    return [fault for item in items for fault in (_item_faults(item) if _is_item(item) else ["Each of 'measurements' needs a 'metric'."])]


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("metric"), str) and bool(item["metric"])


def _item_faults(item: Mapping[str, Any]) -> Iterator[str]:
    metric = item["metric"]
    yield from (f"'{name}' of the metric '{metric}' is not known or names no column." for name in item if not _fits(name, item[name]))
    if not {"value", "solved"} & {*item}:
        yield f"The metric '{metric}' needs 'value', or 'solved' and 'total'."


def _fits(name: str, wanted: Any) -> bool:
    if name == "direction":
        return wanted in DIRECTIONS
    return name == "metric" or (name in NUMBERS and _refers(wanted))


def _part_faults(mapping: Mapping[str, Any]) -> Iterator[str]:
    for name in ("coverage", "elicitation", "provenance"):
        part = mapping.get(name, {})
        if not isinstance(part, dict) or not all(_refers(wanted) for wanted in part.values()):
            yield f"'{name}' is no object of columns."
        elif name == "coverage":
            yield from (f"'{key}' of '{name}' is not known." for key in part if key not in COVERAGE)


def _json_rows(content: IO[bytes]) -> Iterator[Row]:
    for at, entry in lines(content):
        yield Row(at, entry)


def _csv_rows(content: IO[bytes], mapping: Mapping[str, Any]) -> Iterator[Row]:
    """The rows below the header, each with as many cells as it."""
    raw = content.read(LARGEST_TABLE + 1)
    if len(raw) > LARGEST_TABLE:
        raise Unreadable(f"It is larger than {LARGEST_TABLE} bytes.", remedy="Split it.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = raw[: wrong.start].count(b"\n") + 1
        raise Unreadable("It is not UTF-8.", place=f"row {line}", remedy="Save it as UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, mapping), strict=True)
    header: list[str] = []
    for at, cells in _numbered(reader):
        if not header:
            header = _header([cell.strip() for cell in cells], at)
        elif len(cells) != len(header):
            raise Unreadable(f"It has {len(cells)} cells, the header {len(header)}.", place=f"row {at}", remedy=IN_ROW)
        else:
            yield Row(at, dict(zip(header, cells, strict=True)))


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty with the line on which it begins."""
    begin = 1
    try:
        for cells in reader:
            if any(len(cell) > LONGEST_CELL for cell in cells):
                raise Unreadable(f"A cell has more than {LONGEST_CELL} characters.", place=f"row {begin}", remedy=IN_ROW)
            if any(cell.strip() for cell in cells):
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as wrong:
        raise Unreadable(f"It is no table: {wrong}.", place=f"row {begin}", remedy=IN_ROW) from None


def _header(names: list[str], at: int) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise Unreadable(f"The column '{name}' stands twice.", place=f"row {at}", remedy="Rename one of them.")
    return names


def _delimiter(text: str, mapping: Mapping[str, Any]) -> str:
    found = mapping.get("delimiter", "\t" if "\t" in text.lstrip().partition("\n")[0] else ",")
    if not isinstance(found, str) or len(found) != 1 or found in '"\r\n':
        raise Unreadable("'delimiter' is no single character.", place="mapping", remedy=IN_MAPPING)
    return found


def _submission(row: Row, mapping: Mapping[str, Any], options: Options, digest: str) -> dict[str, Any]:
    named = {name: told for name in ("checkpoint", "evaluation") if (told := getattr(options, name))}
    return {
        "status": "success",
        "external_id": f"{digest}/{row.line}",
        **_told(row, mapping, _text, TEXTS),
        **_told(row, mapping, _time, TIMES),
        **named,
        "producer": dict(mapping["producer"]),
        "measurements": [_item(row, item) for item in mapping["measurements"]],
        "coverage": _numbers(row, mapping.get("coverage", {})),
        **{name: _facts(row, mapping[name]) for name in ("elicitation", "provenance") if name in mapping},
    }


def _told(row: Row, mapping: Mapping[str, Any], read_cell: Callable[[Row, Any], Any], names: Sequence[str]) -> dict[str, Any]:
    """What the row says under these names, without the cells that are empty."""
    found = {name: read_cell(row, mapping[name]) for name in names if name in mapping}
    return {name: cell for name, cell in found.items() if cell is not None}


def _item(row: Row, item: Mapping[str, Any]) -> dict[str, Any]:
    found = _numbers(row, {name: wanted for name, wanted in item.items() if name in NUMBERS})
    metric = {name: item[name] for name in ("metric", "direction") if name in item}
    if "value" not in found and "solved" not in found:
        return {**metric, "value": None, "reason": UNSCORED}
    if found.get("stderr") == 0:
        del found["stderr"]
    return {**metric, **found}


def _numbers(row: Row, wanted: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: (_count if name in COUNTS else _number)(row, column) for name, column in wanted.items()}
    return {name: value for name, value in found.items() if value is not None}


def _number(row: Row, wanted: Any) -> float | None:
    """A number, in a CSV file with a point and no other signs; None for an empty cell."""
    found = row.cell(wanted)
    if found is None:
        return None
    try:
        value = number(float(found) if isinstance(found, str) and "_" not in found else found)
    except ValueError:
        value = None
    if value is None:
        raise row.wrong(wanted, f"{_shown(found)} is no number.")
    return value


def _count(row: Row, wanted: Any) -> int | None:
    value = _number(row, wanted)
    if value is not None and (value < 0 or value != int(value)):
        raise row.wrong(wanted, f"{value:g} is no count: a whole number from 0 on.")
    return None if value is None else int(value)


def _text(row: Row, wanted: Any) -> str | None:
    found = row.cell(wanted)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise row.wrong(wanted, f"{_shown(found)} is no text.")
    return str(found).strip()[:LONGEST]


def _time(row: Row, wanted: Any) -> str | None:
    found = row.cell(wanted)
    if found is None:
        return None
    if (time := moment(found.strip() if isinstance(found, str) else found)) is None:
        raise row.wrong(wanted, f"{_shown(found)} is no time: give seconds since 1970 or, for example, 2026-11-22T09:00:00Z.")
    return time


def _facts(row: Row, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return said({name: row.cell(column) for name, column in wanted.items()})


def _shown(found: Any) -> str:
    return repr(found)[:60]
