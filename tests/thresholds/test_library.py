from io import StringIO

import msgspec
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.roles import SYSTEM
from audit import log
from audit.models import Entry
from evals.catalogue import AlreadyRegistered
from evals.models import Evaluation
from mitigations.models import Mitigation
from tests.conftest import FIXTURES, small_file
from thresholds import library
from thresholds.library import FrameworkChanged, InvalidFramework, file_digest, load, read_file
from thresholds.models import CapabilityLevel, Framework, RiskDomain, Threshold

SMALL = FIXTURES / "small-1.0.yaml"
SHIPPED = sorted(library.LIBRARY.glob("*.yaml"))


def written(folder, old="", new=""):
    path = folder / "changed.yaml"
    path.write_text(SMALL.read_text().replace(old, new))
    return path


def test_a_framework_is_stored_with_its_levels_lines_and_evaluations(small, now):
    (level,) = small.levels.all()
    assert (small.key, small.developer, small.retest_days) == ("small-1.0", "Northwind", 90)
    assert (level.key, level.domain.name, level.kind, level.stages) == ("small-1.0.uplift", "Cyber", "critical", ["external"])
    lines = [(line.kind, line.comparator, line.value, line.policy, line.required) for line in level.thresholds.order_by("pk")]
    assert lines == [("alert", ">=", 0.2, "precautionary", True), ("critical", ">=", 0.5, "point", True)]
    assert Evaluation.objects.get().key == "ctf@1"
    assert [measure.slug for measure in level.mitigations.order_by("position")] == ["classifier", "weights"]


def test_the_same_file_again_does_nothing(small, now):
    counts = [model.objects.count() for model in (Framework, CapabilityLevel, Threshold, Mitigation, Entry)]
    found, stored = load(content=small_file(), actor=SYSTEM, now=now)
    assert (found, stored) == (small, False)
    assert [model.objects.count() for model in (Framework, CapabilityLevel, Threshold, Mitigation, Entry)] == counts


def test_loading_is_audited_with_the_digest(small):
    entry = Entry.objects.get(action="thresholds.framework.load")
    assert (entry.about, entry.data) == ("framework:small-1.0", {"digest": small.digest, "levels": ["uplift"]})
    assert log.verify() is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value: 0.2", "value: 0.25"),
        ("policy: point", "policy: confirmed"),
        ("days: 7", "days: 70"),
        ("Helps attackers a great deal.", "Helps a little."),
        ("stages: [external]", "stages: [internal, external]"),
        ("retest_days: 90", "retest_days: 900"),
    ],
)
def test_a_changed_file_under_the_same_version_is_refused(small, now, tmp_path, old, new):
    with pytest.raises(FrameworkChanged, match="give the file a new version"):
        load(content=read_file(written(tmp_path, old, new)), actor=SYSTEM, now=now)
    assert Threshold.objects.filter(value=0.25).count() == 0


def test_comments_order_and_layout_change_nothing(tmp_path):
    plain = msgspec.to_builtins(small_file())
    turned = msgspec.convert(dict(reversed(plain.items())), library.FrameworkFile)
    commented = written(tmp_path, "domains:", "# a note\n\ndomains:")
    assert file_digest(turned) == file_digest(read_file(commented)) == file_digest(small_file())


def test_a_new_version_lives_beside_the_old_one(small, now, tmp_path):
    later = read_file(written(tmp_path, 'version: "1.0"', 'version: "2.0"'))
    second, stored = load(content=later, actor=SYSTEM, now=now)
    assert (stored, second.key, Framework.objects.count()) == (True, "small-2.0", 2)
    assert (Evaluation.objects.count(), RiskDomain.objects.count(), CapabilityLevel.objects.count()) == (1, 1, 2)


def test_a_new_version_cannot_redefine_a_known_evaluation(small, now, tmp_path):
    text = SMALL.read_text().replace('version: "1.0"', 'version: "2.0"').replace("direction: higher", "direction: higher, n_tasks: 3")
    (tmp_path / "other.yaml").write_text(text)
    with pytest.raises(AlreadyRegistered):
        load(content=read_file(tmp_path / "other.yaml"), actor=SYSTEM, now=now)
    assert Framework.objects.count() == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("framework:", "framework: [", "while parsing"),
        ("framework:", "other:", "unknown field 'other'"),
        ("    definition:", "    name: Another name\n    definition:", "the key 'name' stands twice"),
        ("value: 0.2,", "value: 0.2, value: 0.9,", "the key 'value' stands twice"),
        ("value: 0.2", "value: high", r"Expected 'float', got 'str' - at '\$.levels\[0\].thresholds\[0\].value'"),
        ("retest_days: 90", "retest_dayz: 90", "unknown field 'retest_dayz'"),
        ("value: 0.5", "value: 1.5", "level uplift: critical line"),
        ('version: "1.0"', "version: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_its_name_and_what_is_wrong_where(tmp_path, old, new, said):
    with pytest.raises(InvalidFramework, match=f"^changed.yaml: .*{said}"):
        read_file(written(tmp_path, old, new))


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\x00", b"[]", b"3", b"- a\n- b"])
def test_what_is_no_framework_file_is_refused(tmp_path, raw):
    path = tmp_path / "changed.yaml"
    path.write_bytes(raw)
    with pytest.raises(InvalidFramework, match=r"^changed\.yaml: "):
        read_file(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidFramework, match="No such file"):
        read_file(tmp_path / "missing.yaml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_frameworks_are_in_order_and_say_where_lines_come_from(path):
    content = read_file(path)
    lines = [line for level in content.levels for line in level.thresholds]
    assert f"{content.framework.slug}-{content.framework.version}" == path.stem or path.stem.startswith(content.framework.slug)
    assert all(line.reason if line.illustrative else line.source for line in lines)
    assert all(level.checklist for level in content.levels if level.thresholds)


@pytest.mark.django_db
def test_the_command_loads_what_ships_and_says_so():
    first, second = StringIO(), StringIO()
    call_command("load_framework", stdout=first)
    call_command("load_framework", stdout=second)
    assert first.getvalue().count(": loaded, digest") == len(SHIPPED) == Framework.objects.count()
    assert second.getvalue().count("already loaded, unchanged") == len(SHIPPED)


@pytest.mark.django_db
def test_the_command_refuses_a_changed_file_in_a_sentence(small, tmp_path):
    with pytest.raises(CommandError, match="give the file a new version"):
        call_command("load_framework", str(written(tmp_path, "value: 0.2", "value: 0.3")))


def test_every_field_of_a_line_is_stored():
    stored = {field.name for field in Threshold._meta.fields}
    assert set(msgspec.structs.asdict(small_file().levels[0].thresholds[0])) <= stored
