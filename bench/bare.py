"""The limit to measure against: a POST whose JSON body becomes one INSERT, and nothing else. No framework, no checks."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from typing import Any

from psycopg_pool import ConnectionPool

URL = os.environ["DATABASE_URL"]
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON", "cache_size=-32000")  # as the product's


def _postgres() -> Callable[[str], int]:
    pool = ConnectionPool(URL, min_size=2, max_size=8, timeout=10, kwargs={"autocommit": True, "prepare_threshold": 2}, open=True)

    def insert(body: str) -> int:
        with pool.connection() as connection:
            row = connection.execute("INSERT INTO bare (body) VALUES (%s::jsonb) RETURNING id", [body]).fetchone()
            return int(row[0]) if row else 0

    return insert


def _sqlite() -> Callable[[str], int]:
    mine = threading.local()

    def connect() -> sqlite3.Connection:
        mine.connection = connection = sqlite3.connect(URL.removeprefix("sqlite:///"), timeout=20, isolation_level=None)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def insert(body: str) -> int:
        connection = getattr(mine, "connection", None) or connect()
        return connection.execute("INSERT INTO bare (body) VALUES (?)", [body]).lastrowid or 0

    return insert


insert = _postgres() if URL.startswith("postgres") else _sqlite()


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Store the body, answer its number."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    answer = b'{"id":%d}' % insert(body.decode())
    start_response("201 Created", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]
