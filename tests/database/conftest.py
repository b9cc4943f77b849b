"""Statements that another test's savepoint took away are prepared anew before a test that does not try again."""

from django.db import transaction

from database.asking import with_statements_prepared
from database.wire import exchange


def prepare_anew():
    def attempt():
        with transaction.atomic():
            return exchange([("SELECT 'known'", [])])

    return with_statements_prepared(attempt)
