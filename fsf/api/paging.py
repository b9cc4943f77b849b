"""Lists are read by keyset on a unique column: the last page costs what the first does, and nothing is counted."""

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    ordering = "-id"
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 500


class InOrder(NewestFirst):
    ordering = "id"
