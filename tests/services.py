"""What is found on this machine beside Python: PostgreSQL, Redis and Chromium, and whether they are compulsory."""

import functools
import getpass
import os
import shutil

import psycopg
import redis

REQUIRED = os.environ.get("FSF_REQUIRE_SERVICES") == "1"
POSTGRES_URL = os.environ.get("FSF_TEST_POSTGRES", f"postgres://{getpass.getuser()}@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("FSF_TEST_REDIS", "redis://127.0.0.1:6379/13")


@functools.cache
def postgres():
    """Why PostgreSQL cannot be used, or an empty string."""
    try:
        with psycopg.connect(POSTGRES_URL, connect_timeout=2) as connection:
            allowed = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    except psycopg.Error as wrong:
        return str(wrong).strip().splitlines()[0]
    return "" if allowed and allowed[0] else "its user may not create databases"


@functools.cache
def redis_server():
    """Why Redis cannot be used, or an empty string."""
    try:
        redis.Redis.from_url(REDIS_URL, socket_connect_timeout=1).ping()
    except redis.RedisError as wrong:
        return str(wrong)
    return ""


@functools.cache
def chromium():
    """Why Chromium cannot be used, or an empty string."""
    return "" if shutil.which("chromium") else "chromium is not on PATH"


FOUND = {"postgres": postgres, "redis": redis_server, "chromium": chromium}
