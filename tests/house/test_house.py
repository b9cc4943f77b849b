"""The house holds: imports and foreign keys point one way, migrations are complete, production settings are safe."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[2]
STOREYS = ["accounts", "audit", "alerts", "evals", "thresholds", "mitigations", "crises", "gates"]


def test_imports_point_one_way():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_foreign_keys_point_downwards():
    upwards = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.is_relation and field.concrete and model._meta.app_label in STOREYS and field.related_model._meta.app_label in STOREYS
        if STOREYS.index(field.related_model._meta.app_label) > STOREYS.index(model._meta.app_label)
    ]
    assert upwards == []


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


PRODUCTION = {
    "FSF_ENV": "production",
    "FSF_SECRET_KEY": secrets.token_urlsafe(64),
    "FSF_HOSTS": "fsf.example.org",
    "EMAIL_URL": "smtp://127.0.0.1:25",
}


def checked(folder, *words, without="", **changes):
    env = {**os.environ, **PRODUCTION, "FSF_VAR": str(folder), **changes}
    for name in (without, "DJANGO_ALLOW_ASYNC_UNSAFE"):  # the second is set by tests in a browser
        env.pop(name, None)
    return subprocess.run([sys.executable, "manage.py", "check", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_production_settings_pass_the_deployment_checks(tmp_path):
    done = checked(tmp_path, "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["FSF_SECRET_KEY", "FSF_HOSTS", "EMAIL_URL"])
def test_production_refuses_to_start_without(name, tmp_path):
    done = checked(tmp_path, without=name)
    assert done.returncode != 0
    assert name in done.stderr


def test_a_misspelt_environment_is_refused_and_never_runs_unprotected(tmp_path):
    done = checked(tmp_path, FSF_ENV="prod")
    assert done.returncode != 0
    assert "'embedded' or 'production'" in done.stderr
