"""Processes that live and die together: real children, none of them left behind."""

import http.server
import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from fsf.processes import AlreadyUp, NotReady, Process, ProcessDied, Supervisor, address, free_port, plan, port_is_free

SLEEP = "import time; print('here', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
PARENT = "import subprocess, sys, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"


@pytest.fixture(autouse=True)
def var_folder(tmp_path, settings):
    settings.VAR_DIR = tmp_path
    return tmp_path


def supervisor(*codes, **options):
    processes = [Process(name, (sys.executable, "-c", code)) for name, code in zip(("one", "two"), codes, strict=False)]
    return Supervisor(processes, env=os.environ, **options)


def wait(ready, seconds=10):
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_children_end_with_the_block(var_folder):
    with supervisor(SLEEP, SLEEP) as product:
        pids = [child.handle.pid for child in product.children]
        product.check()
        assert all(alive(pid) for pid in pids)
    assert not any(alive(pid) for pid in pids)


def test_what_a_child_started_ends_with_it(var_folder):
    log = var_folder / "log" / "one.log"
    with supervisor(PARENT):
        wait(lambda: log.exists() and log.read_text().endswith("\n"))
        assert alive(int(log.read_text()))
    wait(lambda: not alive(int(log.read_text())))


def test_a_child_that_does_not_stop_is_killed_after_a_grace_and_that_is_said(monkeypatch):
    monkeypatch.setattr("fsf.processes.STOP_GRACE", 0.3)
    said = []
    with supervisor(STUBBORN, say=said.append) as product:
        wait(lambda: product.children[0].last_lines() == ["here"])
        pid = product.children[0].handle.pid
    assert not alive(pid)
    assert said == ["The one process did not stop in 0.3 s and is killed."]


def test_where_one_dies_its_last_lines_are_told_and_the_others_are_stopped():
    with supervisor(SLEEP, "import sys; print('no such table: thing'); sys.exit(4)") as product:
        first = product.children[0].handle.pid
        with pytest.raises(ProcessDied, match=r"(?s)The two process ended \(exit code 4\).*log/two\.log.*\nno such table: thing"):
            product.wait()
    assert not alive(first)


def test_only_lines_of_this_start_are_told(var_folder):
    (var_folder / "log").mkdir()
    (var_folder / "log" / "one.log").write_text("yesterday\n")
    with pytest.raises(ProcessDied) as died, supervisor("import os; os.kill(os.getpid(), 9)") as product:
        product.wait()
    assert re.fullmatch(r"The one process ended \(signal 9\)\. Its log is \S+one\.log; it is empty\.", str(died.value))


def test_output_is_shown_with_the_name_of_its_process_where_it_is_wanted():
    said = []
    with supervisor(SLEEP, say=said.append, echo=True) as product:
        wait(lambda: product.check() or said)
    assert said == ["one    | here"]


def test_a_signal_stops_everything_and_the_old_handlers_return():
    before = signal.getsignal(signal.SIGTERM)
    with supervisor(SLEEP) as product:
        pid = product.children[0].handle.pid
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            product.wait()
    assert not alive(pid)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_program_that_cannot_be_started_leaves_nothing_running():
    product = supervisor(SLEEP)
    product.processes.append(Process("two", ("no-such-program",)))
    with pytest.raises(FileNotFoundError), product:
        pass
    assert product.children == []
    with supervisor(SLEEP):
        pass


def test_the_product_runs_once_on_a_var_folder():
    with supervisor(SLEEP), pytest.raises(AlreadyUp, match="already runs on"), supervisor(SLEEP):
        pass


def test_waiting_for_an_answer_ends_with_200_and_tells_what_came_instead():
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/ready" else 503)
            self.end_headers()
            self.wfile.write(b"migrations wait")

        def log_message(self, *_arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server, supervisor(SLEEP) as product:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = address("127.0.0.1", server.server_port)
        product.wait_until_ready(f"{url}/ready", 5)
        with pytest.raises(NotReady, match=r"after 0\.3 s: 503 migrations wait"):
            product.wait_until_ready(f"{url}/", 0.3)
        server.shutdown()


def test_a_taken_port_is_seen_and_the_next_free_one_found():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert (port_is_free(port), free_port(port) > port) == (False, True)
    assert port_is_free(port)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80")],  # noqa: S104 - not bound to
)
def test_the_address_can_be_typed_into_a_browser(host, url):
    assert address(host, 80) == url


def test_beat_lives_in_the_worker_unless_redis_is_there(settings):
    settings.REDIS_URL = ""
    assert [(process.name, "--beat" in process.command) for process in plan(host="h", port=1)] == [("web", False), ("worker", True)]
    settings.REDIS_URL = "redis://127.0.0.1"
    assert [(process.name, "--beat" in process.command) for process in plan(host="h", port=1)] == [
        ("web", False),
        ("worker", False),
        ("beat", False),
    ]
