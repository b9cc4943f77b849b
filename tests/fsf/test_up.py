"""`manage.py up` as its users run it: it starts, works, stops, and leaves nothing behind."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fsf.processes import free_port, port_is_free

ROOT = Path(__file__).resolve().parents[2]
SEED = """
import datetime as dt
from evals import models
model = models.FrontierModel.objects.create(slug="toy", name="Toy", developer="nobody")
checkpoint = models.Checkpoint.objects.create(model=model, slug="toy-1", name="Toy 1")
evaluation = models.Evaluation.objects.create(slug="toy", version="1", name="Toy", unit="proportion", direction="higher", n_tasks=24)
command = ["{python}", "{base}/examples/toy_evaluation.py", "--out", "{out}"]
for name, more in (("quick", []), ("slow", ["--slow", "5"])):
    models.EvalSchedule.objects.create(
        name=name, evaluation=evaluation, checkpoint=checkpoint, command=command + more, every_minutes=600, due=dt.datetime.now(dt.UTC)
    )
"""


@pytest.fixture(scope="module")
def var(tmp_path_factory):
    """A var folder with a migrated database and two schedules that are due, for all tests of this file in turn."""
    folder = tmp_path_factory.mktemp("var")
    for words in (["migrate", "-v", "0"], ["shell", "-v", "0", "-c", SEED]):
        subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=env(folder), check=True)
    return folder


def env(folder):
    dropped = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    return {**{name: value for name, value in os.environ.items() if name not in dropped}, "FSF_VAR": str(folder)}


def up(folder, *words):
    command = [sys.executable, "manage.py", "up", *words]
    return subprocess.Popen(command, cwd=ROOT, env=env(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def lines_until(product, start):
    lines = []
    for line in product.stdout:
        lines.append(line.rstrip())
        if line.startswith(start):
            return lines
    raise AssertionError(f"no line starts with {start!r}: {lines}")


def processes_of(folder):
    """Processes that carry this var folder in their environment, or as their home: children and evaluations alike."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(folder) in path.read_text():
                found.add(int(path.parent.name))
        except (OSError, UnicodeDecodeError):
            continue
    return found


def jobs(folder):
    with sqlite3.connect(folder / "fsf.sqlite3") as database:
        return dict(database.execute("select s.name, j.state from evals_evaljob j join evals_evalschedule s on s.id = j.schedule_id"))


def wait(ready, seconds=60):
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def test_it_runs_a_due_evaluation_beside_a_taken_port_and_stops_everything_it_started(var):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        product = up(var, "--port", str(taken.getsockname()[1]))
        lines = lines_until(product, "Ready")
        port = int(re.search(r":(\d+) ", lines[-1])[1])
        assert lines[0] == f"Port {taken.getsockname()[1]} is taken; using {port}."
        assert lines[-1] == f"Ready: http://127.0.0.1:{port}  (Ctrl-C stops everything)"
    wait(lambda: jobs(var) == {"quick": "collected", "slow": "launched"})
    assert len(processes_of(var)) >= 6
    product.send_signal(signal.SIGINT)
    rest, _ = product.communicate(timeout=30)
    assert (product.returncode, rest.strip()) == (0, "Stopped: nothing is left running.")
    assert processes_of(var) == set()
    assert port_is_free(port)


def test_the_next_start_records_what_was_stopped_and_where_it_is_killed_its_children_stop_too(var):
    product = up(var, "--port", str(free_port(8820)))
    lines_until(product, "Ready")
    wait(lambda: jobs(var)["slow"] == "failed")
    with sqlite3.connect(var / "fsf.sqlite3") as database:
        query = "select r.status, j.error from evals_evaljob j join evals_evalrun r on r.id = j.run_id where j.state = 'failed'"
        assert list(database.execute(query)) == [("cancelled", "stopped with the product")]
    product.kill()
    product.communicate()
    if sys.platform == "linux":  # elsewhere nobody tells them
        wait(lambda: processes_of(var) == set(), 20)


def test_a_taken_port_is_refused_where_no_other_will_do(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        strict = up(tmp_path, "--port", str(port), "--strict-port")
        assert f"CommandError: Port {port} on 127.0.0.1 is taken" in strict.communicate(timeout=30)[0]
    assert strict.returncode == 1
