import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import ApiToken, User
from accounts.tokens import SCOPES, InvalidToken, verify
from audit.models import Entry
from evals.models import EvalSchedule
from tests.conftest import append_only
from thresholds import library
from thresholds.models import Framework

pytestmark = pytest.mark.django_db


def said(*words, **options):
    out = io.StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def test_a_made_token_works_once_shown_and_ends_when_revoked():
    text = said("make_token", "nightly", "--scope", "runs:write").splitlines()[-1]
    row = verify(text=text, now=timezone.now())
    assert (row.actor.name, row.scopes) == ("nightly", {"runs:write"})
    assert text.split("_")[3] not in str(ApiToken.objects.values())
    said("make_token", "nightly", "--revoke", row.key)
    with pytest.raises(InvalidToken):
        verify(text=text, now=timezone.now())
    told = list(Entry.objects.order_by("seq").values_list("action", flat=True))
    assert told == ["accounts.account.make", "accounts.token.make", "accounts.token.revoke"]


def test_an_account_is_switched_off_and_on_again():
    text = said("make_token", "nightly").splitlines()[-1]
    assert text.split("_")[2] in said("switch_off", "nightly")
    with pytest.raises(InvalidToken):
        verify(text=text, now=timezone.now())
    with pytest.raises(CommandError, match="off already"):
        said("switch_off", "nightly")
    with pytest.raises(CommandError, match="no service account 'nobody'"):
        said("switch_off", "nobody")
    said("switch_off", "nightly", "--back-on")
    verify(text=said("make_token", "nightly").splitlines()[-1], now=timezone.now())


@pytest.mark.parametrize("kind", ["model", "evaluation"])
def test_a_token_for_something_that_is_not_there_is_refused(kind):
    with pytest.raises(CommandError, match=f"No {kind} 'mispelt' is registered"):
        said("make_token", "nightly", f"--{kind}", "mispelt")
    assert not ApiToken.objects.exists()


def test_a_token_that_lives_too_long_is_refused():
    with pytest.raises(CommandError, match="1 to 365 days"):
        said("make_token", "nightly", "--days", "4000")


def test_revoking_an_unknown_key_says_so():
    with pytest.raises(CommandError, match="no token with the key"):
        said("make_token", "nightly", "--revoke", "abc")


def test_a_person_is_added_with_a_role_and_an_audit_entry(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a-long-enough-password\n"))
    said("make_person", "ada", "--email", "ada@example.org", "--role", "safety_lead", "--alerted", "--name", "Ada Lead")
    ada = User.objects.get()
    assert (ada.role, ada.alerted, ada.display_name, ada.check_password("a-long-enough-password")) == (
        "safety_lead",
        True,
        "Ada Lead",
        True,
    )
    assert Entry.objects.get().action == "accounts.user.save"


def test_a_weak_password_stores_nobody(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("password\n"))
    with pytest.raises(CommandError, match="too"):
        said("make_person", "ada", "--email", "ada@example.org", "--role", "member")
    assert not User.objects.exists()


def test_loading_the_library_twice_changes_nothing_the_second_time():
    first, second = said("load_framework"), said("load_framework")
    assert (
        first.count(": loaded, in force")
        == Framework.objects.filter(state="published").count()
        == len(list(library.LIBRARY.glob("*.yaml")))
    )
    assert second.count("already loaded, unchanged") == Framework.objects.count()


def test_a_changed_file_under_a_published_version_is_refused(tmp_path):
    shipped = library.LIBRARY / "gdm-fsf-3.0.yaml"
    said("load_framework", str(shipped))
    (tmp_path / "changed.yaml").write_text(shipped.read_text().replace("value: 0.25", "value: 0.35"))
    with pytest.raises(CommandError, match="give the file a new version"):
        said("load_framework", str(tmp_path / "changed.yaml"))
    assert Framework.objects.get().levels.get(slug="cyber-uplift-1").thresholds.get(kind="alert").value == 0.25


def test_a_schedule_is_made_due_now_and_stopped(small, aurora):
    told = said(
        "make_schedule", "Nightly CTF", "--evaluation", "ctf@1", "--checkpoint", "aurora-1", "--every", "60", "--run", "{python} run.py"
    )
    schedule = EvalSchedule.objects.get()
    assert "due now" in told
    assert (schedule.command, schedule.every_minutes, schedule.active) == (["{python}", "run.py"], 60, True)
    said("make_schedule", "Nightly CTF", "--stop")
    assert not EvalSchedule.objects.get().active


def test_a_schedule_without_a_command_or_of_an_unknown_evaluation_is_refused(small, aurora):
    words = ("make_schedule", "Nightly CTF", "--checkpoint", "aurora-1", "--every", "60")
    with pytest.raises(CommandError, match="--run"):
        said(*words, "--evaluation", "ctf@1")
    with pytest.raises(CommandError, match="No evaluation 'other@1'"):
        said(*words, "--evaluation", "other@1", "--run", "true")
    assert not EvalSchedule.objects.exists()


def test_the_audit_log_is_verified_from_the_command_line(small):
    assert f"holds: {Entry.objects.count()} entries" in said("verify_audit")


@pytest.mark.django_db(transaction=True)
def test_a_changed_audit_entry_is_found_and_named(small):
    with connection.schema_editor() as editor:
        for statement in append_only.SQLITE_BACK if connection.vendor == "sqlite" else append_only.POSTGRES_BACK:
            editor.execute(statement)
        editor.execute("UPDATE audit_entry SET actor = 'nobody' WHERE seq = 1")
    err = io.StringIO()
    try:
        with pytest.raises(SystemExit) as ended:
            call_command("verify_audit", stderr=err)
    finally:
        with connection.schema_editor() as editor:
            for statement in append_only.SQLITE if connection.vendor == "sqlite" else append_only.POSTGRES:
                editor.execute(statement)
    assert ended.value.code == 1
    assert "broken at entry 1" in err.getvalue()


def test_the_live_tokens_of_a_pepper_are_listed(settings):
    first = said("make_token", "nightly", "--purpose", "old").splitlines()[-1].split("_")[2]
    settings.TOKEN_PEPPERS = {**settings.TOKEN_PEPPERS, 2: "a-newer-pepper"}
    newer = said("make_token", "nightly", "--network", "10.0.0.0/8").splitlines()[-1].split("_")[2]
    assert [line.split()[0] for line in said("list_tokens").splitlines()] == [first, newer]
    listed = said("list_tokens", "--pepper", "1")
    assert listed.startswith(f"{first}  service:nightly  old  pepper 1  last used never  ends ")
    said("make_token", "nightly", "--revoke", first, "--leaked")
    assert said("list_tokens", "--pepper", "1") == ""


def test_a_made_token_has_every_scope_but_that_of_making_others():
    said("make_token", "nightly")
    assert ApiToken.objects.get().scopes == sorted(set(SCOPES) - {"tokens:write"})
