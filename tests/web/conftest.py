"""People who are signed in, and a level that stands at its alert line."""

import pytest
from django.test import Client

from accounts.roles import SYSTEM
from crises.models import Crisis
from evals.catalogue import register_checkpoint, register_model
from thresholds.models import CapabilityLevel, LevelStatus


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def lead(ada):
    return signed_in(ada)


@pytest.fixture
def engineer(ben):
    return signed_in(ben)


@pytest.fixture
def auditor(cleo):
    return signed_in(cleo)


@pytest.fixture
def outsider(dan):
    return signed_in(dan)


@pytest.fixture
def level(small):
    return CapabilityLevel.objects.get(key="small-1.0.uplift")


@pytest.fixture
def crisis(pipeline, level, aurora, ada):
    pipeline.run(3, 12)
    return Crisis.objects.get()


@pytest.fixture
def item(crisis):
    return crisis.checklist.items.get()


@pytest.fixture
def more_models(level, now):
    """Models of the same developer, each with a status of its own."""

    def make(count, state="clear", **fields):
        made = []
        for number in range(count):
            slug = f"model-{LevelStatus.objects.count()}-{number}"
            model = register_model(slug=slug, name=slug.title(), developer="Northwind", actor=SYSTEM, now=now)
            checkpoint = register_checkpoint(model=model, fields={"slug": slug, "name": slug.title()}, actor=SYSTEM, now=now)
            evaluation = level.thresholds.first().evaluation
            values = {"state": state, "reading_state": state, "taken": now, "assessed": now, "point": 0.1, "alert_value": 0.2, **fields}
            made.append(LevelStatus.objects.create(checkpoint=checkpoint, level=level, evaluation=evaluation, **values))
        return made

    return make
