import pytest
from django.db import connection
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from alerts.models import Alert
from fsf.api import health
from tests.api.conftest import nothing_stored, problem

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("headers", [{}, {"host": "10.0.0.7:8000"}, {"authorization": "Bearer wrong"}, {"accept": "text/plain"}])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_whoever_asks_by_whatever_name_is_answered(client, path, headers):
    with nothing_stored():
        answer = client.get(path, headers=headers)
    assert (answer.status_code, answer.json()["status"], answer["Content-Type"]) == (200, "ok", "application/json")


def test_alive_does_not_ask_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert client.get("/healthz").status_code == 200


def test_alerts_that_were_given_up_are_counted(client, pipeline, small, aurora, ada):
    pipeline.run(3, 12)
    assert client.get("/readyz").json() == {"status": "ok", "dead_alerts": 0}
    Alert.objects.update(state=Alert.DEAD)
    assert client.get("/readyz").json() == {"status": "ok", "dead_alerts": 1}


def test_it_is_not_ready_while_migrations_wait(client):
    MigrationRecorder(connection).migration_qs.filter(app="gates").delete()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert "manage.py migrate" in answer.json()["detail"]
    assert client.get("/healthz").status_code == 200


def test_it_is_not_ready_while_the_database_does_not_answer(client, tmp_path, monkeypatch):
    nowhere = DatabaseWrapper({**connection.settings_dict, "NAME": tmp_path / "gone" / "fsf.sqlite3", "OPTIONS": {}})
    monkeypatch.setattr(health, "connection", nowhere)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "detail": "The database does not answer."})


@pytest.mark.parametrize("path", ["/healthz/", "/readyz/", "/healthzz", "/readyz.json"])
def test_other_spellings_are_not_found(client, path):
    problem(client.get(path), 404, "not_found")
