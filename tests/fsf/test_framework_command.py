import io
import json

import pytest
from django.core.management import CommandError, call_command

from tests.conftest import FIXTURES
from thresholds import library
from thresholds.library.schema import schema
from thresholds.models import Framework

SMALL = FIXTURES / "small-1.0.yaml"
EXAMPLE = library.LIBRARY.parents[1] / "examples" / "example-lab-1.0.yaml"


def said(*words):
    out = io.StringIO()
    call_command("framework", *map(str, words), stdout=out)
    return out.getvalue()


def refused(*words):
    """What is printed by a command that ends with 1."""
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("framework", *map(str, words), stdout=out)
    assert ended.value.code == 1
    return out.getvalue()


@pytest.fixture
def file(tmp_path):
    """The small framework as a file of its own version, with some words changed."""

    def file(*changes, name="orchid.yaml"):
        text = SMALL.read_text().replace('version: "1.0"', 'version: "2.0"')
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return file


MOVED = ("value: 0.2", "value: 0.3")
WRONG = ("value: 0.5", "value: 1.5")


def test_what_ships_is_valid():
    shipped = sorted(library.LIBRARY.glob("*.yaml"))
    told = said("validate", *shipped, EXAMPLE).splitlines()
    assert [": in order: " in line for line in told] == [True] * (len(shipped) + 1)


def test_every_fault_of_every_file_is_printed_with_its_line(file):
    first, second = file(WRONG, ("domain: cyber", "domain: bio")), file(("days: 7", "dayz: 7"), name="other.yaml")
    told = refused("validate", first, SMALL, second).splitlines()
    assert told[0].startswith(f"{first}:15: level uplift: the domain 'bio'")
    assert told[1].startswith(f"{first}:22: level uplift, critical line: a proportion's line")
    assert told[2].startswith(f"{SMALL}: in order: small-1.0, levels 1, lines 2, digest ")
    assert told[3].startswith(f"{second}:24: level uplift, measure classifier: unknown field 'dayz'; is 'days' meant?")


def test_faults_as_json(file):
    good, bad = json.loads(refused("validate", SMALL, file(WRONG), "--json"))
    assert (good["key"], good["faults"], good["lines"]) == ("small-1.0", [], 2)
    assert [(fault["line"], fault["at"]) for fault in bad["faults"]] == [(22, "levels[0].thresholds[1].value")]


def test_a_missing_file_is_said():
    assert "No such file" in refused("validate", "nowhere.yaml")


def test_validating_stores_nothing(db, file):
    said("validate", file())
    assert not Framework.objects.exists()


def test_a_file_becomes_a_draft_and_then_by_another_person_a_version_in_force(ada, ben, file):
    told = said("load", file(), "--author", "ben")
    assert "loaded as a draft" in told
    digest = Framework.objects.get().digest[:12]
    assert f"framework publish small-2.0 --approver USER --digest {digest}" in told
    told = said("publish", "small-2.0", "--approver", "ada", "--digest", digest, "--reason", "Agreed.")
    assert "small-2.0): published, in force from 2020-01-01" in told
    framework = Framework.objects.get()
    assert (framework.state, framework.author, framework.approver, framework.reason) == ("published", ben, ada, "Agreed.")
    assert "already loaded, unchanged" in said("load", file())


def test_the_author_cannot_approve(ada, file):
    said("load", file(), "--author", "ada")
    with pytest.raises(CommandError, match="another person must approve"):
        said("publish", "small-2.0", "--approver", "ada", "--digest", Framework.objects.get().digest)
    assert Framework.objects.get().state == "draft"


def test_a_draft_without_an_author_says_what_to_do(ada, file):
    assert "name its author first" in said("load", file())
    with pytest.raises(CommandError, match="--author"):
        said("publish", "small-2.0", "--approver", "ada", "--digest", Framework.objects.get().digest)


@pytest.mark.django_db
def test_what_ships_is_in_force_at_once():
    assert "loaded, in force" in said("load", EXAMPLE)
    assert Framework.objects.get().origin == "library"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("load", SMALL, "--author", "nobody"), "no person 'nobody'"),
        (("publish", "small-9", "--approver", "ada", "--digest", "0" * 12), "no stored version 'small-9'; stored are: small-1.0"),
        (("diff", "small-1.0", "small-9"), "no stored version 'small-9'"),
        (("publish", "small-1.0", "--approver", "ada", "--digest", "0" * 12), "a changed framework needs a new version"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(ada, small, words, why):
    with pytest.raises(CommandError, match=why):
        said(*words)


def test_a_file_with_faults_is_not_loaded(db, file):
    with pytest.raises(CommandError, match=r"orchid\.yaml:22: level uplift, critical line"):
        said("load", file(WRONG))
    assert not Framework.objects.exists()


def test_versions_are_compared_as_files_and_as_stored(small, file):
    told = said("diff", "small-1.0", file(MOVED)).splitlines()
    assert told == [
        "~ framework: version: 1.0 -> 2.0",
        "~ level uplift, alert line on ctf@1: value: 0.2 -> 0.3 (harder to reach)",
        "2 changes.",
    ]
    assert said("diff", SMALL, "small-1.0") == "They say the same.\n"


def test_a_difference_as_json(file):
    changes = json.loads(said("diff", SMALL, file(MOVED), "--json"))
    assert [(each["what"], each["kind"], each["direction"]) for each in changes] == [
        ("version", "changed", ""),
        ("value", "moved", "harder"),
    ]


def test_the_schema_is_printed():
    assert json.loads(said("schema")) == schema()


def test_stored_results_are_read_by_a_file_or_a_stored_version_and_nothing_is_stored(small, aurora, post, file):
    post(3, 40)
    told = said("backtest", file(("value: 0.2", "value: 0.01"), ("value: 0.5", "value: 0.02")))
    assert told.startswith("small-2.0 (Northwind, Small framework): 1 stored runs")
    assert "Of 1 places, 1 would stand elsewhere than today under small-1.0." in told
    assert "Of 1 places, 0 would stand elsewhere" in said("backtest", "small-1.0")
    assert Framework.objects.get() == small


def test_a_backtest_as_json(small, aurora, post, file):
    post(3, 40)
    found = json.loads(said("backtest", file(("value: 0.2", "value: 0.01"), ("value: 0.5", "value: 0.02")), "--json"))
    (place,) = found["replayed"]
    assert (found["framework"], found["against"], found["changes"]) == ("small-2.0", "small-1.0", 1)
    assert (place["checkpoint"], place["state"], place["changes"]) == ("aurora-1", "critical", True)
