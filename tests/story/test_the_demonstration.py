"""The two ways to run, end to end: every process is real, and the demonstration checks its own steps."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from fsf.processes import free_port
from tests import services

ROOT = Path(__file__).resolve().parents[2]


def manage(folder, *words, **env):
    clean = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}}
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**clean, "FSF_VAR": str(folder), **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_demonstration_checks_itself_and_changes_nothing_the_second_time(tmp_path):
    words = ("demo", "--check", "--port", str(free_port(8600)))
    first, second = manage(tmp_path, *words), manage(tmp_path, *words)
    assert (first.returncode, second.returncode) == (0, 0), first.stdout + first.stderr + second.stdout + second.stderr
    assert "129 stored, 0 known before" in first.stdout
    assert "0 stored, 129 known before" in second.stdout
    assert "CR-" in first.stdout.partition("[4/7]")[0]


@pytest.mark.postgres
@pytest.mark.redis
def test_the_demonstration_runs_on_postgresql_with_redis(tmp_path):
    server, _, _ = services.POSTGRES_URL.rpartition("/")
    name = f"fsf_demo_{os.getpid()}"
    with psycopg.connect(services.POSTGRES_URL, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            env = {"DATABASE_URL": f"{server}/{name}", "REDIS_URL": services.REDIS_URL}
            assert manage(tmp_path, "migrate", **env).returncode == 0
            done = manage(tmp_path, "demo", "--check", "--port", str(free_port(8700)), **env)
            assert done.returncode == 0, done.stdout + done.stderr
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
