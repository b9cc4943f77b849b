"""Real evaluations through the hook into a real server, and their logs into another; left out where Inspect is not found.

    FSF_INSPECT=/path/of/a/development/environment/bin/inspect python -m pytest tests/client/inspect_live.py

That environment needs `pip install './client[inspect]'`; the code under test is this tree's.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.servers import ROOT, free_port, serving
from fsf_client import Client, Names, Outbox
from fsf_client.inspect.mapping import Known, finished
from fsf_client.inspect.solving import Line
from tests.client.conftest import READY, Server

INSPECT = os.environ.get("FSF_INSPECT") or shutil.which("inspect")
pytestmark = pytest.mark.skipif(not INSPECT, reason="inspect_ai is not found; FSF_INSPECT names its command")
PYTHON = Path(INSPECT or "").with_name("python")
DUMP = """
import json, sys
from inspect_ai.log import read_eval_log
log = read_eval_log(sys.argv[1])
lines = [
    [str(s.id), s.epoch, {k: v.value for k, v in (s.scores or {}).items()}, s.error is not None, s.limit is not None]
    for s in log.samples or []
]
print(json.dumps([log.model_dump(mode="json", exclude_none=True, exclude={"samples", "reductions"}), lines]))
"""


# A laboratory whose framework draws lines on the sums that the demonstration model adds.
ADDERS = """
from accounts.models import ServiceAccount
from accounts.roles import SYSTEM
from django.utils import timezone
from evals.catalogue import register_checkpoint, register_model
from fsf.management.commands.load_framework import load_with_plans
from pathlib import Path
from thresholds import library
import msgspec
now = timezone.now()
plain = msgspec.to_builtins(library.read_file(Path("tests/fixtures/small-1.0.yaml")))
plain["framework"] |= {"slug": "adders", "developer": "Adders"}
sums = {"slug": "sums", "version": "1", "name": "Sums", "metric": "match/match/mean/accuracy"}
plain["evaluations"] = [{**plain["evaluations"][0], **sums}]
for line in plain["levels"][0]["thresholds"]:
    line |= {"evaluation": "sums@1", "value": {"alert": 0.7, "critical": 0.9}[line["kind"]]}
load_with_plans(msgspec.convert(plain, library.FrameworkFile))
model = register_model(slug="adder", name="Adder", developer="Adders", actor=SYSTEM, now=now)
for number in range(20):
    register_checkpoint(model=model, fields={"slug": f"adder-{number}", "name": f"Adder {number}"}, actor=SYSTEM, now=now)
"""
WATCH = "from crises.tasks import watch_runs; print(watch_runs())"
numbers = iter(range(20))


@pytest.fixture(scope="session", autouse=True)
def adders(server):
    server.manage("shell", "-v", "0", "-c", ADDERS)


@pytest.fixture(scope="session")
def importer(tmp_path_factory):
    """Another server, which knows nothing of the runs but what their logs say."""
    folder = tmp_path_factory.mktemp("import-server")
    server = Server(folder)
    server.manage("shell", "-v", "0", "-c", ADDERS)
    env = {**server.env, "DJANGO_SETTINGS_MODULE": "fsf.settings"}
    with serving("fsf.wsgi:application", workers=1, env=env, log=folder / "web.log", ready=READY) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server


@pytest.fixture
def inspect(server, outbox, tmp_path):
    """Starts `inspect eval` on the task with these arguments, for a checkpoint of its own."""
    shutil.copy(Path(__file__).with_name("inspect_tasks.py"), tmp_path / "inspect_tasks.py")
    shutil.copy(ROOT / "examples" / "inspect_demo.py", tmp_path / "inspect_demo.py")
    settings = {"FSF_URL": server.url, "FSF_TOKEN": server.token, "FSF_OUTBOX": str(outbox), "FSF_HEARTBEAT": "1", "FSF_ATTESTED_BY": "Ben"}
    kept = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "client")}
    kept |= {"INSPECT_LOG_DIR": str(tmp_path / "logs"), "INSPECT_DISPLAY": "plain"}

    def inspect(file="inspect_tasks.py", *words, checkpoint, wait=True, **env):
        command = [INSPECT, "eval", file, "--model", "fsfdemo/adept", *words]
        env = {**kept, **settings, "FSF_CHECKPOINT": checkpoint, **env}
        with (tmp_path / "inspect.out").open("wb") as out:
            process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        if wait:
            assert process.wait(timeout=120) == 0, (tmp_path / "inspect.out").read_text()
        return process

    return inspect


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def place():
    return f"adder-{next(numbers)}"


def readings(server, place):
    """What every level reads of a checkpoint, without when and by which run."""
    with Client(server.url, server.token) as client:
        (row,) = client.status(checkpoint=place)
        return {name: row.get(name) for name in ("level", "state", "point", "lower", "upper", "binding")}


@pytest.fixture
def same_by_import(server, importer, place, tmp_path):
    """Importing the logs anew reads as what the hook posted; importing them where they were posted makes no more revisions."""

    def same_by_import(*, revisions=0):
        before, count = readings(server, place), len(server.rows(place))
        names = Names(checkpoint=place, attested_by="Ben")
        for each in (server, importer):
            with Client(each.url, each.token, outbox=tmp_path / "unused") as client:
                assert [done.reason for done in client.import_files([tmp_path / "logs"], names=names) if done.failed] == []
        assert readings(server, place) == before == readings(importer, place)
        assert len(server.rows(place)) - count == revisions
        assert server.rows(place)[0]["scored"] == importer.rows(place)[0]["scored"]

    return same_by_import


def statuses(server, place):
    return [(row["status"], row["planned"], row["scored"], row["errored"]) for row in server.rows(place)]


def until(found, seconds=60):
    end = time.monotonic() + seconds
    while not found() and time.monotonic() < end:
        time.sleep(0.2)
    assert found()


def test_a_good_run_is_started_and_finished(inspect, server, place, outbox, same_by_import):
    inspect("inspect_demo.py", checkpoint=place)
    assert statuses(server, place) == [("success", 12, 12, 0), ("started", 12, None, 0)]
    assert list(Outbox(outbox).entries()) == []
    same_by_import()


def test_an_error_is_posted_though_the_exit_code_is_0(inspect, server, place, same_by_import):
    inspect("inspect_tasks.py", "-T", "fail=5", "--max-samples", "1", checkpoint=place)
    status, planned, _, errored = statuses(server, place)[0]
    assert (status, planned, errored > 0) == ("error", 12, True)
    same_by_import()


def test_tolerated_errors_leave_the_run_incomplete(inspect, server, place):
    inspect("inspect_tasks.py", "-T", "fail=5", "--no-fail-on-error", checkpoint=place)
    assert statuses(server, place)[0] == ("success", 12, 10, 2)
    assert not server.rows(place)[0]["complete"]


def test_an_interrupted_run_is_cancelled_with_what_it_had(inspect, server, place, same_by_import):
    process = inspect("inspect_tasks.py", "-T", "n=200", "-T", "delay=0.5", "--max-samples", "2", checkpoint=place, wait=False)
    until(lambda: statuses(server, place))
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=60)
    status, planned, scored, _ = statuses(server, place)[0]
    assert (status, planned, 0 < scored < 200) == ("cancelled", 200, True)
    same_by_import()


@pytest.fixture
def killed(inspect, server, place, logs):
    """A run whose process was killed, and its log, which has not changed for an hour."""
    process = inspect("inspect_tasks.py", "-T", "n=200", "-T", "delay=0.2", "--log-buffer", "1", checkpoint=place, wait=False)
    until(lambda: statuses(server, place))
    time.sleep(2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    assert statuses(server, place) == [("started", 200, None, 0)]
    (log,) = logs.glob("*.eval")
    past = time.time() - 3600
    os.utime(log, (past, past))


@pytest.mark.usefixtures("killed")
def test_a_killed_run_falls_silent_and_is_lost_and_its_log_says_what_it_had(server, place, fsf, logs, same_by_import):
    until(lambda: server.manage("shell", "-v", "0", "-c", WATCH) and statuses(server, place)[0][0] == "lost", 40)  # 3 heartbeats of 5 s
    code, out, err = fsf("push", logs, "--checkpoint", place, "--attested-by", "Ben")
    assert (code, err, "superseded" in out) == (0, "", True)
    assert statuses(server, place)[0][:2] == ("lost", 200)
    same_by_import()


def test_heartbeats_say_how_far_a_run_is(inspect, server, place):
    process = inspect("inspect_tasks.py", "-T", "n=200", "-T", "delay=0.2", "--max-samples", "2", checkpoint=place, wait=False)
    until(lambda: statuses(server, place))
    asked = (
        "from evals.models import Heartbeat; print(*Heartbeat.objects.filter(run__checkpoint__slug='%s').values_list('beats', 'completed'))"
    )
    time.sleep(6)
    beats, completed = eval(server.manage("shell", "-v", "0", "-c", asked % place))  # noqa: S307 - our own server's
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    assert (beats >= 3, completed > 0) == (True, True)


def test_a_run_finished_while_the_server_is_down_is_delivered_by_push(inspect, server, place, fsf, tmp_path):
    box = Outbox(tmp_path / "outbox")
    inspect("inspect_demo.py", checkpoint=place, FSF_URL=f"http://127.0.0.1:{free_port()}")
    assert [entry.body["status"] for _, entry in box.entries()] == ["started", "success"]
    assert server.rows(place) == []
    code, out, _ = fsf("push", tmp_path / "logs", "--checkpoint", place)
    assert (code, "created" in out) == (0, True)
    assert statuses(server, place) == [("success", 12, 12, 0)]


def test_the_hook_says_what_the_log_says(inspect, server, place, tmp_path):
    inspect("inspect_demo.py", "--epochs", "2", checkpoint=place, FSF_ATTESTED_BY="")
    (log,) = (tmp_path / "logs").glob("*.eval")
    printed = subprocess.run(
        [sys.executable, "-m", "evals.importers", "--checkpoint", place, log], cwd=ROOT, capture_output=True, check=True
    ).stdout
    (imported,) = json.loads(printed)
    stored = server.rows(place)[0]
    with Client(server.url, server.token) as client:
        detail = client.run(stored["id"])
    assert stored["external_id"] == imported["external_id"]
    assert (stored["planned"], stored["scored"], stored["complete"]) == (
        imported["coverage"]["planned"],
        imported["coverage"]["scored"],
        True,
    )
    assert [(each["metric"], each["value"]) for each in detail["results"]] == [(m["metric"], m["value"]) for m in imported["measurements"]]
    assert detail["results"][0]["n_tasks"] in {None, len(imported["measurements"][0]["tasks"])}


def test_a_refusal_or_a_missing_token_never_breaks_an_evaluation(inspect, place, outbox, tmp_path):
    inspect("inspect_demo.py", checkpoint="nobody")
    assert [state for state, _ in Outbox(outbox).entries()] == ["refused", "refused"]
    inspect("inspect_demo.py", checkpoint=place, FSF_TOKEN="")
    assert "FSF_TOKEN is not" in (tmp_path / "inspect.out").read_text()
    inspect("inspect_demo.py", checkpoint=place, FSF_OUTBOX="/proc/nowhere")


def test_a_required_hook_that_is_missing_stops_the_run(inspect, place):
    installed = {"PYTHONPATH": ""}  # its full name is that of the installed distribution
    inspect("inspect_demo.py", checkpoint=place, INSPECT_REQUIRED_HOOKS="fsf_client/fsf", **installed)
    missing = inspect("inspect_demo.py", checkpoint=place, INSPECT_REQUIRED_HOOKS="fsf_client/other", wait=False, **installed)
    assert missing.wait(timeout=60) != 0


SAMPLES = sorted((ROOT.parent / "shared" / "samples" / "inspect").glob("*.eval"))


@pytest.mark.parametrize("log", SAMPLES, ids=lambda log: log.stem)
def test_the_mapping_agrees_with_the_importer_on_real_logs(log):
    imported = subprocess.run([sys.executable, "-m", "evals.importers", log], cwd=ROOT, capture_output=True, text=True, check=False)
    dumped = subprocess.run([PYTHON, "-c", DUMP, log], capture_output=True, text=True, check=False)
    if imported.returncode or dumped.returncode:
        pytest.skip(f"not read by both: {imported.stderr or dumped.stderr[-200:]}")
    (theirs,), (header, samples) = json.loads(imported.stdout), json.loads(dumped.stdout)
    if header["status"] == "started":
        pytest.skip("no hook is told of a log that never ended")
    ours = finished(header, [Line(*each) for each in samples], Known())
    assert {name: ours[name] for name in ("external_id", "checkpoint", "evaluation", "status", "coverage")} == {
        name: theirs[name] for name in ("external_id", "checkpoint", "evaluation", "status", "coverage")
    }
    assert [_plain(each) for each in ours["measurements"]] == [_plain(each) for each in theirs["measurements"]]


def _plain(item):
    """Tasks in order, without the family, for which the hook needs the sample's metadata."""
    tasks = sorted((task["id"], task["solved"], task["attempts"]) for task in item.get("tasks", ()))
    return {**item, "tasks": tasks}
