"""A database of the measurement's own: on the PostgreSQL server where one is found, else a SQLite file; gone afterwards."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from bench.servers import THREADS


@dataclass(frozen=True, slots=True)
class Place:
    """Where both servers store: the address for the environment, what it is called, and how many server processes of how many threads."""

    url: str
    name: str
    workers: int
    threads: int = THREADS


def server() -> str | None:
    """The address of a PostgreSQL server that takes us, or None: DATABASE_URL, else this machine's own as the current user."""
    url = os.environ.get("DATABASE_URL", f"postgres://{getpass.getuser()}@127.0.0.1:5432/postgres")
    if not url.startswith("postgres"):
        return None
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            row = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    except psycopg.Error:
        return None
    return url if row and row[0] else None


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """A new, empty database, and its end."""
    url = server()
    if url is None:
        yield Place(f"sqlite:///{folder / 'bench.sqlite3'}", "SQLite", workers=1, threads=4)  # as `manage.py up` starts it
        return
    name = f"fsf_bench_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        version = connection.info.server_version // 10_000
        try:
            yield Place(urlsplit(url)._replace(path=f"/{name}").geturl(), f"PostgreSQL {version}", workers=2)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
