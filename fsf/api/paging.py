"""Lists are read by keyset on a unique column: the last page costs what the first does, and nothing is counted."""

import re
from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from fsf.api import fields

NUMBER = re.compile(r"[0-9]{1,19}")  # a 64-bit id
NAME = re.compile(r"[^\x00]{1,200}")
ORDERING = "ordering"


class NewestFirst(CursorPagination):
    """By id, or by another unique column that the view names in `orderings`."""

    ordering = "-id"
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 500

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """A misspelt filter would list everything, so an unknown name is refused."""
        known = {*getattr(view, "filters", ()), self.cursor_query_param, self.page_size_query_param, ORDERING, fields.PARAMETER}
        if unknown := sorted(set(request.query_params) - known):
            raise ValidationError({name: f"Unknown parameter; known here: {', '.join(sorted(known))}." for name in unknown})
        _check_limit(request.query_params.get(self.page_size_query_param), self.max_page_size)
        self.wanted = fields.wanted_of(request, view)
        return super().paginate_queryset(queryset, request, view)

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        """The unique column that the list is read by."""
        said = request.query_params.get(ORDERING, type(self).ordering)
        if said not in orderings_of(view):
            raise ValidationError({ORDERING: f"It is one of {', '.join(orderings_of(view))}, not '{said[:40]}'."})
        return (said,)

    def decode_cursor(self, request: Request) -> Cursor | None:
        cursor = super().decode_cursor(request)
        by_id = self.ordering[0] in {"id", "-id"}
        if cursor is not None and cursor.position is not None and not (NUMBER if by_id else NAME).fullmatch(str(cursor.position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def get_paginated_response(self, data: Any) -> Response:
        if self.wanted is not None:
            data = [fields.kept(row, self.wanted) for row in data]
        return super().get_paginated_response(data)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri", "description": "null where there is no further page"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The parameters of every list, as the OpenAPI document has them."""
        cursor = {"type": "string", "maxLength": 1000}
        limit = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        order = {"type": "string", "enum": list(orderings_of(view)), "default": self.ordering}
        return [
            _parameter(self.cursor_query_param, cursor, "of a page, as `next` and `previous` have it; only with the same ordering"),
            _parameter(self.page_size_query_param, limit, "rows of a page"),
            _parameter(ORDERING, order, "what the list is read by; with a minus from its end"),
            {**_parameter(fields.PARAMETER, fields.schema(view), fields.ABOUT), "style": "form", "explode": False},
        ]


class InOrder(NewestFirst):
    ordering = "id"


def orderings_of(view: Any) -> tuple[str, ...]:
    """What a view's list can be ordered by: unique columns, both ways."""
    return tuple(f"{sign}{name}" for name in ("id", *getattr(view, "orderings", ())) for sign in ("", "-"))


def _check_limit(said: str | None, most: int) -> None:
    if said is not None and not (NUMBER.fullmatch(said) and 1 <= int(said) <= most):
        raise ValidationError({"limit": f"It is a number from 1 to {most}, not '{said[:40]}'."})


def _parameter(name: str, schema: dict[str, Any], about: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": about}
