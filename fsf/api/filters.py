"""What a list can be narrowed to: each view names its filters, each filter knows how to read its text and how it is documented."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

LONGEST = 200
YEARS = (1970, 9998)


@dataclass(frozen=True, slots=True)
class Filter:
    """The lookup that it sets; `read` turns the text into what is looked for, or raises ValueError with a sentence."""

    lookup: str
    read: Callable[[str], Any]
    schema: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""


def text(lookup: str, about: str = "") -> Filter:
    """What is written, to the letter."""
    return Filter(lookup, _text, {"type": "string", "maxLength": LONGEST}, about)


def choice(lookup: str, choices: Iterable[str], about: str = "") -> Filter:
    """One of few words; another one is refused, for it would be a misspelling."""
    known = tuple(str(each) for each in choices)
    return Filter(lookup, lambda said: _one_of(said, known), {"type": "string", "enum": list(known)}, about)


def truth(lookup: str, about: str = "") -> Filter:
    """True or false."""
    return Filter(lookup, lambda said: _one_of(said, ("true", "false")) == "true", {"type": "boolean"}, about)


def named(lookup: str, model: type[Model]) -> Filter:
    """By the slug of another row, looked up first: the planner knows how rare its id is, and not how rare what has its slug is."""
    return Filter(lookup, lambda said: _id_of(model, _text(said)), {"type": "string", "maxLength": LONGEST})


def _id_of(model: type[Model], slug: str) -> int:
    """The id of the row; 0, which none has, where there is none."""
    return model._default_manager.filter(slug=slug).values_list("pk", flat=True).first() or 0  # noqa: SLF001 - the manager of any model


def moment(lookup: str, about: str = "") -> Filter:
    """A time with its offset from UTC."""
    return Filter(lookup, _moment, {"type": "string", "format": "date-time"}, about)


def run(lookup: str) -> Filter:
    """A run by its id or ref."""
    return Filter(lookup, _run, {"type": "string", "pattern": "^(R-)?[0-9]{1,18}$"}, "id or ref, such as 12 or R-12")


class ByParameters(BaseFilterBackend):
    """Narrows a list by the `filters` of its view."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        wanted, faults = {}, {}
        for name, each in filters_of(view).items():
            if name in request.query_params:
                try:
                    wanted[each.lookup] = each.read(request.query_params[name])
                except ValueError as wrong:
                    faults[name] = str(wrong)
        if faults:
            raise ValidationError(faults)
        return queryset.filter(**wanted) if wanted else queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The parameters as the OpenAPI document lists them."""
        return [
            {
                "name": name,
                "in": "query",
                "required": False,
                "schema": dict(each.schema),
                **({"description": each.about} if each.about else {}),
            }
            for name, each in filters_of(view).items()
        ]


def filters_of(view: Any) -> dict[str, Filter]:
    """The filters that a view names, none where it names none or reads them itself."""
    found = getattr(view, "filters", {})
    return {name: each for name, each in found.items() if isinstance(each, Filter)} if isinstance(found, Mapping) else {}


def _text(said: str) -> str:
    if len(said) > LONGEST:
        raise ValueError(f"Nothing here is longer than {LONGEST} characters.")
    return said


def _one_of(said: str, known: tuple[str, ...]) -> str:
    if said not in known:
        raise ValueError(f"It is one of {', '.join(known)}, not '{said[:40]}'.")
    return said


def _moment(said: str) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(said)
    except ValueError:
        raise ValueError("It is a time with its offset from UTC, such as 2026-11-22T09:00:00Z.") from None
    if found.tzinfo is None or not YEARS[0] <= found.year <= YEARS[1]:
        raise ValueError(f"It needs its offset from UTC, as in 2026-11-22T09:00:00Z, and a year from {YEARS[0]} to {YEARS[1]}.")
    return found


def _run(said: str) -> int:
    number = said.removeprefix("R-")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise ValueError(f"'{said[:40]}' names no run; use its id or ref, such as 12 or R-12.")
    return int(number)
