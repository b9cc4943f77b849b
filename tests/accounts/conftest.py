"""A SQLite file as the embedded default has it: the tests' own database lies in memory, where threads lock one another out."""

import pytest
from django.db import ConnectionHandler, ConnectionProxy

from accounts import counting

PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
TABLE = "CREATE TABLE accounts_tally (name varchar(80) PRIMARY KEY, count bigint NOT NULL, ends bigint NOT NULL)"


@pytest.fixture
def sqlite_file(tmp_path, monkeypatch):
    """Counts go to a file with the one table they need; each thread has its own connection."""
    options = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": PRAGMAS}
    engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "counts.sqlite3", "OPTIONS": options}
    handler = ConnectionHandler({"default": engine})
    monkeypatch.setattr(counting, "connection", ConnectionProxy(handler, "default"))
    with handler["default"].cursor() as cursor:
        cursor.execute(TABLE)
    yield
    handler["default"].close()
