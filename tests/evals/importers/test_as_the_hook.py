"""A run that the client's hook posted while it was evaluated, and the same run read from its log afterwards."""

import json

import pytest

from evals.importers.archive import Archive
from evals.importers.inspect_eval import wanted
from evals.revisions import says_the_same
from evals.submissions import parse
from fsf_client.inspect.mapping import Known, finished
from fsf_client.inspect.solving import Line
from tests.evals.importers.conftest import FIXTURES, from_file

SEEN_BY_BOTH = ["cut_off", "halted", "interrupted", "limited", "recovered", "rescored", "scored_early", "several", "tolerated", "unscored"]
CHANGED_SINCE = ["edited", "invalidated"]


def said(part):
    """As the hook has it: without what is null."""
    if isinstance(part, dict):
        return {name: said(each) for name, each in part.items() if each is not None}
    return [said(each) for each in part] if isinstance(part, list) else part


def line(summary):
    facts = {name: fact for name, fact in (summary.get("metadata") or {}).items() if isinstance(fact, str | int)}
    scores = {name: score["value"] for name, score in (summary.get("scores") or {}).items()}
    return Line(str(summary["id"]), summary["epoch"], scores, bool(summary.get("error")), summary.get("limit") is not None, facts)


def hooked(name, **known):
    """What the hook posts at the end of the run that left this log."""
    with (FIXTURES / f"{name}.eval").open("rb") as content:
        archive = Archive(content, wanted)
        header, summaries = (json.loads(archive.read(member, 1 << 24)) for member in ("header.json", "summaries.json"))
    return finished(said(header), [line(each) for each in summaries], Known(**known))


def imported(name, **options):
    (found,) = from_file(FIXTURES / f"{name}.eval", **options)
    return found


@pytest.mark.parametrize("name", SEEN_BY_BOTH)
def test_the_hook_and_the_log_say_the_same_of_a_run(name):
    assert says_the_same(parse(imported(name)), parse(hooked(name)))


@pytest.mark.parametrize("name", CHANGED_SINCE)
def test_what_was_changed_in_the_log_since_is_another_revision(name):
    assert not says_the_same(parse(imported(name)), parse({**hooked(name), "provenance": {}}))


def test_the_attestation_that_the_hook_posted_is_not_lost_by_a_log_without_it():
    assert says_the_same(parse(imported("limited")), parse(hooked("limited", attested_by="Ben")))
    assert says_the_same(parse(imported("limited", attested_by="Ben")), parse(hooked("limited", attested_by="Ben")))
    assert not says_the_same(parse(imported("limited", attested_by="Ben")), parse(hooked("limited")))
