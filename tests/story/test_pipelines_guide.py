"""docs/pipelines.md is run as it stands, block after block in one shell, against a real server; what it shows is what was printed."""

import os
import re
import shutil
import subprocess
import sys
import warnings

import pytest
import yaml

from bench.servers import ROOT, serving
from tests import services

GUIDE = ROOT / "docs" / "pipelines.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
ADDRESS = "http://127.0.0.1:8000"
END = "\x1e"
INSPECT = os.environ.get("FSF_INSPECT") or shutil.which("inspect")
NEEDS_INSPECT = re.compile(r"^(inspect |fsf push )", re.MULTILINE)
PYTHON = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
FSF = f'#!/bin/sh\nexec {sys.executable} -m fsf_client "$@"\n'


def steps():
    """Each block that is run, with the output that is shown below it."""
    found = BLOCK.findall(GUIDE.read_text())
    for (language, code), (following, shown) in zip(found, [*found[1:], ("", "")], strict=True):
        if language in {"sh", "python"}:
            yield language, code, shown if following == "text" else None


def runnable(code):
    return bool(INSPECT) or not NEEDS_INSPECT.search(code)


def script(done):
    lines = ["set -eo pipefail"]
    for language, code, _ in done:
        lines += [code if language == "sh" else f"python3 - <<'PY'\n{code}PY", f"printf '{END}'"]
    return "\n".join(lines)


@pytest.fixture
def desk(tmp_path):
    """A folder with what the reader has in front of them: this tree, and the commands that were installed."""
    for name in ("manage.py", "examples", "client"):
        (tmp_path / name).symlink_to(ROOT / name)
    commands = {".venv/bin/python": PYTHON, "bin/python3": PYTHON, "bin/fsf": FSF}
    if INSPECT:
        commands["bin/inspect"] = f'#!/bin/sh\nexec {INSPECT} "$@"\n'
    for name, content in commands.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def shown(desk):
    """What each block printed, from the first to the last."""
    dropped = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "FSF_URL", "FSF_TOKEN", "FSF_INSPECT"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    env = {**kept, "FSF_VAR": str(desk / "var"), "HOME": str(desk), "PYTHONPATH": str(ROOT / "client"), "LANG": "C.UTF-8"}
    env |= {"PATH": f"{desk / 'bin'}:{os.environ['PATH']}", "FSF_OUTBOX": str(desk / "outbox"), "XDG_STATE_HOME": str(desk / "state")}
    for words in (["migrate", "-v", "0"], ["load_framework", "examples/example-lab-1.0.yaml"]):
        subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=env, check=True, capture_output=True)
    web = {**env, "DJANGO_SETTINGS_MODULE": "fsf.settings", "PYTHONPATH": ""}
    with serving("fsf.wsgi:application", workers=1, env=web, log=desk / "web.log", ready="GET /readyz") as port:
        here = f"http://127.0.0.1:{port}"
        text = script([step for step in steps() if runnable(step[1])]).replace(ADDRESS, here)
        done = subprocess.run(["bash", "-c", text], cwd=desk, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, ""), f"{done.stdout}\n{done.stderr}"
    return done.stdout.replace(here, ADDRESS).split(END)[:-1]


def test_every_block_runs_and_prints_what_is_shown(desk):
    assert INSPECT or not services.REQUIRED
    if not INSPECT:
        warnings.warn("The blocks of docs/pipelines.md that need Inspect are left out: FSF_INSPECT names no command.", stacklevel=1)
    wanted = [step for step in steps() if runnable(step[1])]
    printed = shown(desk)
    assert len(wanted) == len(printed) > 12
    for (_, code, expected), got in zip(wanted, printed, strict=True):
        assert got == (expected or ""), code


def test_the_recipes_for_ci_name_what_is_there():
    github, gitlab = (yaml.safe_load(code) for language, code in BLOCK.findall(GUIDE.read_text()) if language == "yaml")
    action = yaml.safe_load((ROOT / "client" / "action" / "action.yml").read_text())
    (step,) = github["jobs"]["may-deploy"]["steps"]
    assert step["uses"].partition("@")[0].endswith("client/action")
    assert {name for name, about in action["inputs"].items() if about.get("required")} <= step["with"].keys() <= action["inputs"].keys()
    snippet = yaml.safe_load((ROOT / "client" / "gitlab" / "fsf-gate.yml").read_text())
    assert gitlab["may-deploy"]["extends"] in snippet
    assert {f"${name}" for name in gitlab["may-deploy"]["variables"]} - {"$FSF_URL"} <= set(re.findall(r"\$\w+", str(snippet)))
