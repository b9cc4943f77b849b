"""Lists are read by keyset on a unique column: the last page costs what the first does, and nothing is counted."""

import re
from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

POSITION = re.compile(r"[0-9]{1,19}")  # a 64-bit id


class NewestFirst(CursorPagination):
    ordering = "-id"
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 500

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """A misspelt filter would list everything, so an unknown name is refused."""
        known = {*getattr(view, "filters", ()), self.cursor_query_param, self.page_size_query_param}
        if unknown := sorted(set(request.query_params) - known):
            raise ValidationError({name: f"Unknown parameter; known here: {', '.join(sorted(known))}." for name in unknown})
        return super().paginate_queryset(queryset, request, view)

    def decode_cursor(self, request: Request) -> Cursor | None:
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None and not POSITION.fullmatch(str(cursor.position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri", "description": "null where there is no further page"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }


class InOrder(NewestFirst):
    ordering = "id"
