"""A server of its own on loopback, the client against it, and a proxy between them that loses replies."""

import itertools
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from bench.servers import ROOT, free_port, serving
from fsf_client import Client

SEED = """
from accounts.models import ServiceAccount
from accounts.roles import SYSTEM
from accounts.tokens import SCOPES, issue
from django.utils import timezone
from evals.catalogue import register_checkpoint, register_evaluation, register_model
from fsf.management.commands.load_framework import load_with_plans
from pathlib import Path
from thresholds import library
now = timezone.now()
load_with_plans(library.read_file(Path("tests/fixtures/small-1.0.yaml")))
for number in range(200):
    model = register_model(slug=f"aurora-{number}", name=f"Aurora {number}", developer="Northwind", actor=SYSTEM, now=now)
    register_checkpoint(model=model, fields={"slug": f"aurora-{number}", "name": f"Aurora {number}"}, actor=SYSTEM, now=now)
register_checkpoint(model=model, fields={"slug": "fsfdemo/novice", "name": "Demo"}, actor=SYSTEM, now=now)
simple = {"slug": "simple", "version": "1", "name": "Simple", "unit": "proportion", "direction": "higher"}
register_evaluation(fields={**simple, "metric": "solved/solved/mean/accuracy"}, actor=SYSTEM, now=now)
account = ServiceAccount.objects.create(name="nightly", created=now)
for scopes in (SCOPES, ["runs:write"]):
    print("TOKEN", issue(account=account, scopes=scopes, now=now)[1])
"""
READY = "GET /readyz"


class Server:
    """The product in processes of its own, with a database of its own."""

    def __init__(self, folder):
        dropped = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "FSF_URL", "FSF_TOKEN"}
        self.env = {**{name: value for name, value in os.environ.items() if name not in dropped}, "FSF_VAR": str(folder)}
        self.manage("migrate", "-v", "0")
        printed = self.manage("shell", "-v", "0", "-c", SEED)
        self.token, self.write_only = (line.removeprefix("TOKEN ") for line in printed.splitlines() if line.startswith("TOKEN "))
        self.url = ""
        self._numbers = itertools.count()

    def manage(self, *words):
        return subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.env, check=True, text=True, capture_output=True
        ).stdout

    def checkpoint(self):
        """One that no other test uses."""
        return f"aurora-{next(self._numbers)}"

    def rows(self, checkpoint):
        with Client(self.url, self.token, outbox=Path(self.env["FSF_VAR"]) / "reader") as client:
            return list(client.read_all("runs/", checkpoint=checkpoint))


@contextmanager
def started(folder):
    """A server that answers until the block ends."""
    server = Server(folder)
    with serving(
        "fsf.wsgi:application", workers=1, env={**server.env, "DJANGO_SETTINGS_MODULE": "fsf.settings"}, log=folder / "web.log", ready=READY
    ) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with started(tmp_path_factory.mktemp("client-server")) as server:
        yield server


@pytest.fixture
def nowhere():
    """An address where nothing listens."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def outbox(tmp_path):
    return tmp_path / "outbox"


@pytest.fixture
def client(server, outbox):
    with Client(server.url, server.token, outbox=outbox, patience=5) as client:
        yield client


@pytest.fixture
def body(server):
    """The body of a run of a checkpoint of this test's own."""
    checkpoint, numbers = server.checkpoint(), itertools.count(1)

    def body(solved=0, total=20, **more):
        measured = {"measurements": [{"metric": "solved", "solved": solved, "total": total}]}
        names = {
            "producer": {"name": "nightly"},
            "external_id": f"{checkpoint}/{next(numbers)}",
            "checkpoint": checkpoint,
            "evaluation": "ctf@1",
        }
        return {**names, **measured, "elicitation": {"attested_by": "Ben"}, **more}

    return body


class Faults:
    """What the proxy does to the answers of posts: `drop` tells by the number of a post whether its reply is lost after the commit."""

    def __init__(self):
        self.drop = lambda _: False
        self.instead = []  # answers given in turn without asking the server: (status, headers, body)
        self.keys = []
        self.posts = itertools.count()
        self.lock = threading.Lock()


class Between(BaseHTTPRequestHandler):
    """Hands requests on; what becomes of the answers is for `faults` to say."""

    protocol_version = "HTTP/1.1"
    target, faults, opener = "", None, build_opener(ProxyHandler({}))

    def log_message(self, *words):
        pass

    def do_GET(self):
        self._answer(*self._forward(None))

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        with self.faults.lock:
            number = next(self.faults.posts)
            self.faults.keys.append(self.headers["Idempotency-Key"])
            instead = self.faults.instead.pop(0) if self.faults.instead else None
        answer = instead or self._forward(raw)
        if instead is None and self.faults.drop(number):
            self.close_connection = True
            self.connection.close()
        else:
            self._answer(*answer)

    def _forward(self, raw):
        passed = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection", "content-length"}}
        asked = Request(self.target + self.path, data=raw, headers=passed, method=self.command)  # noqa: S310 - the test's own server
        try:
            with self.opener.open(asked, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except HTTPError as wrong:
            return wrong.code, dict(wrong.headers), wrong.read()

    def _answer(self, status, headers, content):
        self.send_response(status)
        for name in ("Content-Type", "Location", "Retry-After"):
            if value := {key.lower(): value for key, value in headers.items()}.get(name.lower()):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def proxy(server):
    """A proxy before the server, as (its address, its faults)."""
    faults = Faults()
    served = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Between,), {"target": server.url, "faults": faults}))
    served.daemon_threads = True
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}", faults
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture
def fsf(server, outbox, tmp_path):
    """Runs the command line in a process of its own: (exit code, standard output, standard error)."""

    def fsf(*words, url=None, stdin=None, token=None, **env):
        settings = {
            "FSF_URL": url or server.url,
            "FSF_TOKEN": token or server.token,
            "FSF_OUTBOX": str(outbox),
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        kept = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'client'}:{ROOT}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        command = [sys.executable, "-m", "fsf_client", *map(str, words)]
        done = subprocess.run(
            command, env={**kept, **settings, **env}, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return fsf


@pytest.fixture
def write(tmp_path):
    """Writes a file of JSON, or of lines of JSON for a list that is named .ndjson."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(each) + "\n" for each in content) if name.endswith("ndjson") else json.dumps(content))
        return path

    return write
