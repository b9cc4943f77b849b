"""The two servers that are compared, on the same settings; each is a process group of its own and is stopped with everything in it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
THREADS = 8  # for each server process, as the product is deployed
READY_SECONDS = 90


class NotServing(Exception):
    """A server did not come up; the text ends with what it wrote."""


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(*words: str, env: Mapping[str, str]) -> str:
    """Run a Python program of this tree to its end and return what it printed; raises NotServing where it fails."""
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise NotServing(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


@contextlib.contextmanager
def serving(target: str, *, workers: int, env: Mapping[str, str], log: Path, ready: str, threads: int = THREADS) -> Iterator[int]:
    """A server of a WSGI application on loopback, as its port; stopped with its whole group."""
    port = free_port()
    with started(granian(target, workers=workers, port=port, threads=threads), folder=ROOT, env=env, log=log) as process:
        wait(process, port, ready, log)
        yield port


def granian(target: str, *, workers: int, port: int, threads: int = THREADS) -> list[str]:
    """The command that serves a WSGI application on loopback."""
    where = ("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port))
    size = ("--workers", str(workers), "--blocking-threads", str(threads), "--workers-kill-timeout", "5")
    return [sys.executable, "-m", "granian", *where, *size, "--no-ws", "--log-level", "warning", target]


@contextlib.contextmanager
def started(command: list[str], *, folder: Path, env: Mapping[str, str], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A process in a group of its own, which is stopped with everything in it."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait(process: "subprocess.Popen[bytes]", port: int, ready: str, log: Path) -> None:
    """Until the server answers `ready` (a method and a path) by success; raises NotServing where it does not in time."""
    method, _, path = ready.partition(" ")
    until = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request(method, path, body=b"{}" if method == "POST" else None)
            if connection.getresponse().status < 300:
                return
        time.sleep(0.1)
    raise NotServing(f"The server for {log.stem} did not come up:\n{log.read_text(errors='replace')[-2000:]}")
