"""Runs one program for a job and keeps account of how it ended; standard library only, so that it starts in an instant.

`spawn` starts this file as a process of its own, which outlives the worker that asked for it:

    python launcher.py FOLDER LIMIT -- PROGRAM [ARGUMENT ...]

It detaches, runs the program with its output in FOLDER, writes FOLDER/exit.json in one step and takes along whatever the
program left running. It holds a lock on FOLDER/lock while it lives: a free lock without exit.json means that it was killed.
Deadlines are the runner's business; LIMIT seconds are the last resort for the time when no worker is alive to keep them.
"""

import contextlib
import ctypes
import datetime as dt
import fcntl
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

NICENESS = 10
MAX_RESULT_BYTES = 1_000_000
TAIL_BYTES = 600
NOT_STARTED = 127
PR_SET_PDEATHSIG = 1


class AlreadyRunning(Exception):
    """A launcher holds the folder's lock: this job was started before."""


class NoResult(Exception):
    """The program left nothing that can be read as its result; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a program ended: its exit code, or the number of the signal that stopped it, or why it never started."""

    exit_code: int | None
    signal: int | None
    started: dt.datetime
    ended: dt.datetime
    error: str = ""


def spawn(folder: Path, limit: float, program: Sequence[str], env: Mapping[str, str]) -> None:
    """Start `program` in `folder` with exactly the environment `env` and return at once; raises AlreadyRunning or OSError."""
    lock = _lock(folder)
    if lock is None:
        raise AlreadyRunning(str(folder))
    try:
        (folder / "pid").unlink(missing_ok=True)
        command = [sys.executable, "-IS", __file__, str(folder), str(limit), "--", *program]
        subprocess.run(
            command, cwd=folder, env=dict(env), pass_fds=[lock], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True
        )
    finally:
        os.close(lock)


def is_running(folder: Path) -> bool:
    """Whether the launcher of this folder lives: its lock is taken. A process number alone would not tell, they are used again."""
    lock = _lock(folder)
    if lock is None:
        return True
    os.close(lock)
    return False


def read_pid(folder: Path) -> int | None:
    """The launcher's process number, which is its process group's too; None where none was started."""
    try:
        return int((folder / "pid").read_text())
    except (FileNotFoundError, ValueError):
        return None


def read_exit(folder: Path) -> Exit | None:
    """How the program ended, or None while it runs or where nothing readable was left."""
    try:
        said = json.loads((folder / "exit.json").read_text())
        times = {name: dt.datetime.fromisoformat(said[name]) for name in ("started", "ended")}
        return Exit(**{**said, **times})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def read_result(folder: Path) -> dict[str, Any]:
    """The JSON object in FOLDER/result.json, at most MAX_RESULT_BYTES long and with finite numbers only; raises NoResult."""
    path = folder / "result.json"
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise NoResult("the result is not a plain file")
        with path.open("rb") as handle:
            text = handle.read(MAX_RESULT_BYTES + 1)
        if len(text) > MAX_RESULT_BYTES:
            raise NoResult(f"the result is longer than {MAX_RESULT_BYTES} bytes")
        found = json.loads(text, parse_constant=_refuse)
        if "\\u0000" in json.dumps(found, ensure_ascii=False).encode().decode():  # encoding refuses half characters
            raise NoResult("the result holds a null character")
    except OSError:
        raise NoResult("the program ended without leaving a result") from None
    except (ValueError, RecursionError) as wrong:
        raise NoResult(f"the result is not JSON: {wrong}") from None
    if not isinstance(found, dict):
        raise NoResult("the result is JSON, but not an object")
    return found


def read_last_words(folder: Path) -> str:
    """The end of what the program wrote to its standard error."""
    try:
        with (folder / "stderr.txt").open("rb") as handle:
            handle.seek(max(0, handle.seek(0, os.SEEK_END) - TAIL_BYTES))
            return handle.read().decode(errors="replace").replace("\x00", "").strip()
    except FileNotFoundError:
        return ""


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number that can be stored")


def stop(folder: Path, pid: int, number: int) -> None:
    """Send a signal to the program and all it started: the group `pid`, also where the launcher is gone and left some behind."""
    if pid <= 1 or (not is_running(folder) and _exists(pid)):
        return  # the number has been given to a stranger since: a group of ours without its leader would leave it free
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _exists(pid: int) -> bool:
    try:
        os.getpgid(pid)
    except ProcessLookupError:
        return False
    return True


def _lock(folder: Path) -> int | None:
    """Take the folder's lock; the open file that holds it, or None where another process does."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _write(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or none, also after a power cut."""
    part = path.with_suffix(".part")
    with part.open("w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(path)


def _prepare_program() -> None:
    """In the program's own process: gentle, no core files, and gone when the launcher is killed."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _run(folder: Path, limit: float, program: Sequence[str]) -> Exit:
    started, since = dt.datetime.now(dt.UTC), time.monotonic()
    code, error = _wait(folder, limit, program)
    ended = started + dt.timedelta(seconds=time.monotonic() - since)  # also right where the clock is set meanwhile
    exit_code, number = (code, None) if code >= 0 else (None, -code)
    return Exit(exit_code, number, started, ended, error)


def _wait(folder: Path, limit: float, program: Sequence[str]) -> tuple[int, str]:
    with (folder / "stdout.txt").open("wb") as out, (folder / "stderr.txt").open("wb") as err:
        try:
            child = subprocess.Popen(
                program,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                preexec_fn=_prepare_program,  # noqa: PLW1509 - the launcher has no threads
            )
        except (OSError, ValueError) as wrong:
            return NOT_STARTED, f"the program could not be started: {wrong}"
        try:
            return child.wait(limit), ""
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait(), f"stopped after {limit:g} s, the last limit"


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """An interrupt reaches the whole group, the program too; the launcher stays to see how it ends."""


def main(arguments: Sequence[str]) -> int:
    """Detach, run, keep account; the first process returns when the second has written down its number."""
    folder, limit, program = Path(arguments[0]), float(arguments[1]), arguments[3:]
    if os.fork():
        while read_pid(folder) is None:
            time.sleep(0.002)
        return 0
    os.setsid()
    for stream in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    signal.signal(signal.SIGINT, _ignore)
    _write(folder / "pid", str(os.getpid()))
    ended = _run(folder, limit, program)
    _write(folder / "exit.json", json.dumps(asdict(ended), default=str))
    os.killpg(0, signal.SIGKILL)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
