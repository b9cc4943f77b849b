"""Runs without a result in a browser: sound on every page that shows them."""

import datetime as dt

import pytest
from django.utils import timezone

from crises.watching import lose_run
from tests.conftest import Pipeline
from tests.web.test_chromium import MODES, browser_type_launch_args, expect_sound, open_page, sign_in, site  # noqa: F401

pytestmark = [pytest.mark.chromium, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def without_result(site):  # noqa: F811
    """One run that was lost and one that runs, of the model that is served."""
    pipeline = Pipeline()
    for name in ("lost", "alive"):
        pk = pipeline.run(status="started", external_id=name).json()["id"]
        pipeline.send(f"runs/{pk}/heartbeat/", {"completed": 30, "planned": 100})
        if name == "lost":
            assert lose_run(run_id=pk, now=timezone.now() + dt.timedelta(hours=1))
    return site


@pytest.mark.parametrize("mode", MODES)
def test_every_page_that_shows_runs_without_a_result_is_sound(browser, without_result, mode):
    page = open_page(browser, without_result, mode)
    sign_in(page)
    for path in ("/", "/checkpoints/aurora-1/", "/evaluations/ctf@1/", "/levels/small-1.0.uplift/", "/coverage/", "/underway/"):
        page.goto(path)
        expect_sound(page)
