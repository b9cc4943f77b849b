"""What another test's savepoint took away is prepared anew before a test that does not try again."""

from django.db import connection

from database import wire


def prepare_anew():
    connection.ensure_connection()
    wire.prepare_anew(connection.connection)
