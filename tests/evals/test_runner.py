"""Scheduled evaluations with real processes: every job ends in a run, whatever becomes of its program."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import Entry
from evals import launcher, runner, tasks
from evals.ingest import record_run
from evals.models import Checkpoint, EvalJob, EvalRun, EvalSchedule, Evaluation, FrontierModel
from evals.schedules import PRODUCER, external_id
from evals.submissions import parse
from tests.conftest import NIGHTLY, run_body

pytestmark = pytest.mark.django_db
NINE = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
ROOT = Path(__file__).resolve().parents[2]
SECOND = dt.timedelta(seconds=1)
WRITE = "import json, sys; json.dump(json.loads(sys.argv[2]), open(sys.argv[1], 'w'))"
SOLVED = {"measurements": [{"metric": "solved", "solved": 6, "total": 12}]}
HANG = "import time; print('waiting', flush=True); time.sleep(60)"


@pytest.fixture(autouse=True)
def var_folder(tmp_path, settings):
    settings.VAR_DIR = tmp_path
    yield
    for pid in tmp_path.glob("jobs/*/*/pid"):
        launcher.stop(pid.parent, int(pid.read_text()), signal.SIGKILL)


def schedule(code=WRITE, *arguments, **fields):
    """A schedule that is due at nine and runs `code` in Python."""
    model = FrontierModel.objects.create(slug="sonnet", name="Sonnet", developer="Anthropic")
    checkpoint = Checkpoint.objects.create(model=model, slug="sonnet-4.5", name="Sonnet 4.5")
    evaluation = Evaluation.objects.create(slug="toy", version="1", name="Toy", unit="proportion", direction="higher", n_tasks=12)
    command = ["{python}", "-c", code, *arguments]
    return EvalSchedule.objects.create(
        checkpoint=checkpoint, evaluation=evaluation, **{"name": "hourly", "command": command, "every_minutes": 60, "due": NINE, **fields}
    )


def writing(result=SOLVED, **fields):
    return schedule(WRITE, "{out}", result if isinstance(result, str) else json.dumps(result), **fields)


def launched(now=None):
    """The job of the one due schedule, its program running."""
    now = now or timezone.now()
    [job_id] = runner.claim_due(now=now, limit=4)
    assert runner.launch(job_id=job_id, now=now)
    return EvalJob.objects.get(pk=job_id)


def ended(job, now=None):
    """The same job once its program has ended and was polled and collected."""
    wait(lambda: not launcher.is_running(Path(job.folder)))
    EvalJob.objects.filter(pk=job.pk).update(next_step=timezone.now())
    now = now or timezone.now()
    assert runner.poll(job_id=job.pk, now=now)
    assert runner.collect(job_id=job.pk, now=now + 2 * SECOND)
    job.refresh_from_db()
    return job


def wait(ready, seconds=10):
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def test_a_due_slot_becomes_one_job_however_often_it_is_claimed():
    due = schedule()
    late = NINE + dt.timedelta(hours=3, minutes=5)
    first = runner.claim_due(now=late, limit=4)
    EvalJob.objects.update(state="failed")
    EvalSchedule.objects.update(due=NINE)
    assert (len(first), runner.claim_due(now=late, limit=4)) == (1, [])
    due.refresh_from_db()
    assert (EvalJob.objects.get().slot, due.due) == (NINE + dt.timedelta(hours=3), NINE + dt.timedelta(hours=4))


def test_two_tickers_that_saw_the_same_slot_make_one_job():
    due = schedule()
    assert [runner._claim(due, NINE + SECOND) is None for _ticker in range(3)] == [False, True, True]
    assert EvalJob.objects.count() == 1


RACE = """
import datetime as dt, django, threading
django.setup()
from django.core.management import call_command
from evals import models, runner
call_command("migrate", verbosity=0)
model = models.FrontierModel.objects.create(slug="m", name="m", developer="d")
names = {"checkpoint": models.Checkpoint.objects.create(model=model, slug="c", name="c"),
         "evaluation": models.Evaluation.objects.create(slug="e", version="1", name="e", unit="count", direction="higher")}
now, claimed, start = dt.datetime.now(dt.UTC), [], threading.Barrier(4)
for number in range(5):
    models.EvalSchedule.objects.create(name=str(number), command=["true"], every_minutes=1, due=now, **names)
def tick():
    start.wait()
    claimed.extend(runner.claim_due(now=now, limit=9))
tickers = [threading.Thread(target=tick) for _ in range(4)]
[ticker.start() for ticker in tickers]
[ticker.join() for ticker in tickers]
print(len(claimed), len(set(claimed)), models.EvalJob.objects.count())
"""


def test_tickers_at_the_same_moment_make_one_job_for_each_slot(tmp_path):
    env = {"PATH": os.environ["PATH"], "FSF_VAR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "fsf.settings"}
    done = subprocess.run([sys.executable, "-c", RACE], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5", "5", "5"]


def test_a_schedule_waits_for_its_open_job_and_for_room():
    schedule()
    assert runner.claim_due(now=NINE, limit=0) == []
    assert len(runner.claim_due(now=NINE, limit=1)) == 1
    assert runner.claim_due(now=NINE + dt.timedelta(hours=1), limit=9) == []


@pytest.mark.parametrize("fields", [{"active": False}, {"due": NINE + SECOND}])
def test_what_is_not_due_is_not_claimed(fields):
    schedule(**fields)
    assert runner.claim_due(now=NINE, limit=4) == []


def test_a_job_is_launched_with_a_clean_environment_and_its_result_recorded(monkeypatch):
    monkeypatch.setenv("FSF_SECRET_KEY", "not for programs")
    code = WRITE + "; import os; print(sorted(os.environ), os.getcwd() == os.environ['HOME'], sys.argv[3:])"
    due = schedule(code, "{out}", json.dumps(SOLVED), "{checkpoint}", "{evaluation}")
    job = ended(launched())
    run = EvalRun.objects.get()
    assert (job.state, job.run, job.error, job.next_step) == ("collected", run, "", None)
    assert (run.producer, run.external_id) == ("fsf-schedule", external_id(due.pk, job.slot))
    assert (run.status, run.results.get().solved, run.posted_by, run.started <= run.completed) == ("success", 6, "system:system", True)
    names, rest = (Path(job.folder) / "stdout.txt").read_text().split("] ", 1)
    assert set(names.strip("[").replace("'", "").split(", ")) <= {"HOME", "LANG", "PATH", "TMPDIR", "LC_CTYPE"}
    assert rest.strip() == "True ['sonnet-4.5', 'toy@1']"
    assert list(Entry.objects.order_by("seq").values_list("action", flat=True)) == ["evals.job.launch", "evals.run.record"]


def test_a_start_that_another_account_posted_under_its_identity_does_not_keep_its_result_out():
    due, job = writing(), launched()
    names = {"checkpoint": "sonnet-4.5", "evaluation": "toy@1", "external_id": external_id(due.pk, job.slot)}
    planted = run_body(**names, producer={"name": PRODUCER}, status="started")
    start = record_run(submission=parse(planted), actor=NIGHTLY, now=timezone.now()).run
    run = ended(job).run
    assert (run.supersedes, run.status, run.posted_by) == (start, "success", "system:system")


def test_a_running_job_is_looked_at_by_one_worker_at_a_time():
    schedule(HANG)
    now = timezone.now()
    job = launched(now)
    assert runner.ready_jobs(now=now, limit=9) == []
    assert runner.ready_jobs(now=now + 2 * SECOND, limit=9) == [job.pk]
    first = runner._lease(job.pk, now + 2 * SECOND, runner.Q(state="launched"))
    second = runner._lease(job.pk, now + 2 * SECOND, runner.Q(state="launched"))
    assert (first, second) == (job, None)


def test_a_program_past_its_deadline_is_interrupted_and_what_it_left_is_kept():
    code = (
        "import json, sys, time\ntry:\n print('up', flush=True); time.sleep(60)\nexcept KeyboardInterrupt:\n"
        " json.dump(json.loads(sys.argv[2]), open(sys.argv[1], 'w'))"
    )
    schedule(code, "{out}", json.dumps(SOLVED), timeout_seconds=5)
    job = launched()
    wait((Path(job.folder) / "stdout.txt").read_text)
    assert not runner.poll(job_id=job.pk, now=job.deadline)
    job = ended(job, now=timezone.now() + 9 * SECOND)
    assert (job.state, job.error) == ("failed", "stopped at its deadline, 5 s after its launch")
    assert (job.run.status, job.run.complete, job.run.results.get().solved) == ("cancelled", False, 6)


def test_a_program_that_ignores_the_interrupt_is_killed_with_all_it_started():
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True); time.sleep(60)"
    )
    schedule(code, timeout_seconds=5)
    job = launched()
    said = Path(job.folder) / "stdout.txt"
    wait(lambda: said.read_text().endswith("\n"))
    assert not runner.poll(job_id=job.pk, now=job.deadline)
    assert not runner.poll(job_id=job.pk, now=job.deadline + runner.STOP_GRACE)
    job = ended(job, now=job.deadline + dt.timedelta(seconds=60))
    assert (job.state, job.run.status, job.run.results.count()) == ("failed", "cancelled", 0)
    wait(lambda: gone(int(said.read_text())))


def gone(pid):
    """No such process, or only its number is left for a parent that has not looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_killed_launcher_is_a_lost_run_and_takes_its_program_along():
    schedule(HANG)
    job = launched()
    wait((Path(job.folder) / "stdout.txt").exists)
    os.kill(job.pid, signal.SIGKILL)
    job = ended(job)
    assert (job.state, job.run.status) == ("failed", "lost")
    assert job.error.startswith("lost: the process was gone")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "stopped by signal 9"),
        ("pass", "the program ended without leaving a result"),
        ("import sys; open(sys.argv[1], 'w').write('[1]')", "the result is JSON, but not an object"),
        ("import sys; open(sys.argv[1], 'w').write('{\"a\": NaN}')", "the result is not JSON: NaN is no number that can be stored"),
        ("import sys; open(sys.argv[1], 'w').write('[' * 99999)", "the result is not JSON: "),
        ("import sys; open(sys.argv[1], 'w').write(' ' * 1000001)", "the result is longer than 1000000 bytes"),
        (r"""import sys; open(sys.argv[1], 'w').write('{"a": "\\u0000"}')""", "the result holds a null character"),
        (r"""import sys; open(sys.argv[1], 'w').write('{"a": "\\ud800"}')""", "the result is not JSON: "),
        ("import os, sys; os.mkfifo(sys.argv[1])", "the result is not a plain file"),
    ],
)
def test_a_program_that_fails_is_recorded_as_a_run_without_measurement(code, reason):
    schedule(code, "{out}")
    job = ended(launched())
    assert job.error.startswith(reason)
    assert (job.state, job.run.status, job.run.results.count()) == ("failed", "error", 0)
    assert job.run.provenance["reason"].startswith(reason)


def test_the_last_words_of_a_failed_program_are_kept_with_the_job():
    schedule("raise RuntimeError('no weights found')")
    assert ended(launched()).error.endswith("RuntimeError: no weights found")


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"measurements": [{"metric": "solved", "solved": 13, "total": 12}]}, "Solved must lie between 0 and total"),
        ({"checkpoint": "other", **SOLVED}, "reports on the checkpoint 'other', the schedule asks for 'sonnet-4.5'"),
        ({"surprise": 1, **SOLVED}, "unknown field"),
        ({"provenance": 3, **SOLVED}, "provenance"),
    ],
)
def test_a_result_that_cannot_be_stored_is_an_error_with_the_reason(result, reason):
    writing(result)
    job = ended(launched())
    assert (job.state, job.run.status, job.run.results.count()) == ("failed", "error", 0)
    assert reason in job.error


def test_a_program_may_report_its_own_failure():
    writing({"status": "error"})
    job = ended(launched())
    assert (job.state, job.run.status, job.error) == ("failed", "error", "the program reports the status error")


@pytest.mark.parametrize(("command", "reason"), [("echo hello", "list of arguments"), (["no-such-program"], "could not be started")])
def test_a_command_that_cannot_run_is_recorded_too(command, reason):
    writing(command=command)
    [job_id] = runner.claim_due(now=timezone.now(), limit=4)
    for ahead in (0, 3, 6):
        time.sleep(0.1)
        runner.advance(job_id=job_id, now=timezone.now() + ahead * SECOND)
    job = EvalJob.objects.get()
    assert (job.state, job.run.status) == ("failed", "error")
    assert reason in job.error


def test_a_job_whose_worker_died_in_the_middle_of_launching_is_not_started_twice():
    schedule("print('once', flush=True); import time; time.sleep(60)")
    job = launched()
    EvalJob.objects.update(state="claimed", pid=None, next_step=NINE)
    assert runner.launch(job_id=job.pk, now=timezone.now())
    again = EvalJob.objects.get()
    assert (again.state, again.pid) == ("launched", job.pid)


def test_a_job_whose_worker_died_in_the_middle_of_collecting_is_recorded_once():
    writing()
    job = ended(launched())
    EvalJob.objects.update(state="launched", next_step=NINE, run=None)
    assert runner.collect(job_id=job.pk, now=timezone.now())
    assert (EvalJob.objects.get().run, EvalRun.objects.count()) == (job.run, 1)


def test_the_job_of_another_machine_is_left_alone_until_that_machine_is_silent():
    writing()
    [job_id] = runner.claim_due(now=NINE, limit=4)
    EvalJob.objects.update(folder="/var/lib/fsf/jobs/elsewhere/1", state="launched", deadline=NINE)
    assert not runner.poll(job_id=job_id, now=NINE)
    assert runner.ready_jobs(now=NINE + 599 * SECOND, limit=9) == []
    assert runner.ready_jobs(now=NINE + 600 * SECOND, limit=9) == [job_id]
    runner.advance(job_id=job_id, now=NINE + 600 * SECOND)
    job = EvalJob.objects.get()
    assert (job.state, job.run.status) == ("failed", "lost")
    assert job.error == "lost: nothing was heard of it from elsewhere, the machine that launched it"


def test_running_jobs_can_be_stopped_when_the_product_stops():
    schedule(HANG)
    job = launched()
    assert runner.stop_running(number=signal.SIGKILL, reason="stopped with the product") == 1
    wait(lambda: not launcher.is_running(Path(job.folder)))
    assert runner.stop_running(number=signal.SIGKILL, reason="again") == 0
    assert ended(job).error == "stopped with the product"


def test_ticking_twice_makes_one_run():
    writing()
    wait(lambda: tasks.tick() or EvalRun.objects.exists(), seconds=20)
    tasks.tick()
    assert (EvalJob.objects.get().state, EvalRun.objects.count()) == ("collected", 1)


def test_one_broken_job_does_not_hold_up_the_others(monkeypatch, caplog):
    writing()
    runner.claim_due(now=timezone.now(), limit=4)

    def broken(**_arguments):
        raise RuntimeError("no disk")

    monkeypatch.setattr(runner, "advance", broken)
    tasks.tick()
    assert "could not be taken on; it is tried again" in caplog.text


def test_old_folders_are_forgotten_and_rows_stay(settings, tmp_path):
    due = writing()
    folders = [tmp_path / "jobs" / Path(runner._place()).name / str(900 + number) for number in range(24)]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        EvalJob.objects.create(
            schedule=due, slot=NINE - dt.timedelta(days=30 - number), state="failed", folder=str(folder), claimed=NINE, next_step=None
        )
    job = ended(launched())
    assert [folder.exists() for folder in folders] == [False] * 5 + [True] * 19
    assert Path(job.folder).exists()
    assert EvalJob.objects.count() == 25


def test_the_launcher_itself_ends_a_program_when_no_worker_is_left(tmp_path):
    launcher.spawn(tmp_path, 0.3, [sys.executable, "-c", "import time; time.sleep(60)"], {})
    wait(lambda: not launcher.is_running(tmp_path))
    said = launcher.read_exit(tmp_path)
    assert (said.exit_code, said.signal, said.error) == (None, signal.SIGKILL, "stopped after 0.3 s, the last limit")


def test_a_number_that_belongs_to_a_stranger_is_not_signalled(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as stranger:
        launcher.stop(tmp_path, stranger.pid, signal.SIGKILL)
        assert stranger.poll() is None
        stranger.kill()


def test_no_connection_is_held_by_the_process_of_a_job():
    schedule("import os; print(len(os.listdir('/proc/self/fd')))")
    job = ended(launched())
    assert connection.connection is not None
    assert int((Path(job.folder) / "stdout.txt").read_text()) == 4
