"""The published results, replayed through the API, get the published verdicts."""

import pytest

from crises.models import Crisis
from fsf.management.commands.load_framework import load_with_plans
from fsf.replay import load, register, replay
from thresholds import library
from thresholds.models import LevelStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def replayed(pipeline, ada):
    for path in sorted(library.LIBRARY.glob("*.yaml")):
        load_with_plans(library.read_file(path))

    def send(path, body):
        answer = pipeline.send(path, body)
        return answer.status_code, answer.json()

    content = load()
    register(content, send)
    return list(replay(content, send))


def test_the_published_results_get_the_published_verdicts(replayed):
    lines = [(posted.run["external_id"], posted.line_verdict) for posted in replayed if posted.run["published_line"]]
    assert lines == [
        (posted.run["external_id"], posted.run["published_line"]["verdict"]) for posted in replayed if posted.run["published_line"]
    ]
    assert len(lines) == 31

    opened = set(Crisis.objects.values_list("model__slug", "level__key"))
    assert ("claude-sonnet-4-5", "anthropic-rsp-2.ai-rnd-4") in opened
    assert not [model for model, _ in opened if model in {"claude-opus-4", "claude-opus-4-1"}]

    kernels = next(posted for posted in replayed if posted.run["external_id"].startswith("claude-sonnet-4.5.anthropic-kernels"))
    (verdict,) = kernels.reply["verdicts"]
    assert (verdict["point"], verdict["value"], verdict["reached"], verdict["illustrative"]) == (108.64, 100, True, False)

    pro = LevelStatus.objects.get(checkpoint__slug="gemini-2.5-pro-06-17", level__key="gdm-fsf-2.0.cyber-uplift-1")
    assert (pro.state, pro.reported, pro.differs, pro.illustrative) == ("alert", "alert", False, True)
