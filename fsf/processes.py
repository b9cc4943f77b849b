"""Starts the product's processes together, watches over them and stops them all: what `manage.py up` and the demo stand on.

Every child is a process group of its own, so that whatever it starts can be stopped with it; its output goes to a file
under var/log. Where the parent itself is killed the kernel tells the children to stop (on Linux; elsewhere nobody does).
"""

import contextlib
import ctypes
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import BinaryIO, Self

from django.conf import settings

from database.asking import is_quick

PR_SET_PDEATHSIG = 1
STOP_GRACE = 10.0
LAST_LINES = 15
LOG_LIMIT = 5_000_000
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read here, not bound to
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class Stopped(KeyboardInterrupt):
    """The product was asked to stop, by a signal."""


class ProcessDied(Exception):
    """A process ended that should have run on; the text ends with the last lines it wrote."""


class NotReady(Exception):
    """The product did not become ready in time; the text says what it answered."""


class AlreadyUp(Exception):
    """The product runs already on the same var folder."""


@dataclass(frozen=True, slots=True)
class Process:
    """A child to start: the name it is spoken of by, and its command."""

    name: str
    command: tuple[str, ...]


@dataclass(slots=True)
class Child:
    """A started process and the file that its output goes to."""

    name: str
    log: Path
    handle: subprocess.Popen[bytes]
    shown: int = field(default=0)

    def last_lines(self) -> list[str]:
        """The end of what it wrote since it was started."""
        return _since(self.log, self.shown).decode(errors="replace").splitlines()[-LAST_LINES:]


def plan(*, host: str, port: int) -> list[Process]:
    """The processes that serve at `host` and `port`: beat lives in the worker, unless Redis makes several workers possible."""
    python = (sys.executable, "-m")
    threads = "8" if is_quick() else "4"  # PostgreSQL stores what comes at the same time together; SQLite has one writer anyway
    server = ("--interface", "wsgi", "--host", host, "--port", str(port), "--workers", "1", "--blocking-threads", threads)
    quiet = ("--log-level", "warning", "--workers-kill-timeout", "5", "--no-ws")
    web = Process("web", (*python, "granian", *server, *quiet, "fsf.wsgi:application"))
    celery = (*python, "celery", "-A", "fsf", "--quiet")
    worker = (*celery, "worker", "--pool", "solo", "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")
    if settings.REDIS_URL:
        return [web, Process("worker", worker), Process("beat", (*celery, "beat", "--loglevel", "WARNING", "--pidfile="))]
    return [web, Process("worker", (*worker, "--beat"))]


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(near: int, host: str = "127.0.0.1") -> int:
    """The first free port at or after `near`; raises OSError where a hundred are taken."""
    for port in range(near, min(near + 100, 65536)):
        if port_is_free(port, host):
            return port
    raise OSError(f"No port from {near} to {near + 99} is free on {host}; name another with --port.")


def address(host: str, port: int) -> str:
    """The address to type into a browser on this machine."""
    host = ANY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Supervisor:
    """Runs a set of processes as one: inside `with` they live, after it none of them is left."""

    def __init__(
        self, processes: Iterable[Process], *, env: Mapping[str, str], say: Callable[[str], object] = print, echo: bool = False
    ) -> None:
        self.processes = list(processes)
        self.env = dict(env)
        self.say = say
        self.echo = echo
        self.children: list[Child] = []
        self._lock: BinaryIO | None = None
        self._handlers: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        """Start everything; raises AlreadyUp, or what kept a process from starting."""
        self._lock = _hold(Path(settings.VAR_DIR, "up.lock"))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, _raise_stopped)
        try:
            for process in self.processes:
                self.children.append(_start(process, self.env))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop everything, whatever happened."""
        self.stop()

    def check(self) -> None:
        """Raise ProcessDied where a process has ended; show new output where it is wanted."""
        for child in self.children:
            if self.echo:
                self._show(child)
            if (code := child.handle.poll()) is not None:
                lines = [f"The {child.name} process ended ({_how(code)}). Its log is {child.log}; the end of it:", *child.last_lines()]
                raise ProcessDied("\n".join(lines) if len(lines) > 1 else lines[0].partition("; the end")[0] + "; it is empty.")

    def wait_until_ready(self, url: str, seconds: float = 60) -> None:
        """Return once `url` answers 200; raises NotReady after `seconds`, and ProcessDied."""
        until, answer = time.monotonic() + seconds, ""
        while time.monotonic() < until:
            self.check()
            ready, answer = _ask(url)
            if ready:
                return
            time.sleep(0.1)
        raise NotReady(f"{url} was not ready after {seconds:g} s: {answer}")

    def wait(self) -> None:
        """Watch until a process ends (ProcessDied) or the product is asked to stop (KeyboardInterrupt)."""
        while True:
            self.check()
            time.sleep(0.2)

    def stop(self) -> None:
        """Ask every process to end, and kill what has not after a grace, or at a second Ctrl-C."""
        for number in self._handlers.keys() - {signal.SIGINT}:
            signal.signal(number, signal.SIG_IGN)
        try:
            for child in self.children:
                child.handle.terminate()
            self._await(STOP_GRACE)
        except KeyboardInterrupt:
            self.say("Stopping at once ...")
        finally:
            for child in self.children:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.handle.pid, signal.SIGKILL)
                child.handle.wait()
            self._restore()

    def _await(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(child.handle.poll() is None for child in self.children):
            time.sleep(0.02)
        for child in self.children:
            if child.handle.poll() is None:
                self.say(f"The {child.name} process did not stop in {seconds:g} s and is killed.")

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal gave is what it takes
        self._handlers.clear()
        self.children.clear()
        if self._lock is not None:
            self._lock.close()

    def _show(self, child: Child) -> None:
        new = _since(child.log, child.shown)
        new = new[: new.rfind(b"\n") + 1]
        child.shown += len(new)
        for line in new.decode(errors="replace").splitlines():
            self.say(f"{child.name:<6} | {line}")


def _start(process: Process, env: Mapping[str, str]) -> Child:
    folder = Path(settings.VAR_DIR, "log")
    folder.mkdir(parents=True, exist_ok=True)
    log, parent = folder / f"{process.name}.log", os.getpid()

    def end_with_parent() -> None:
        if _prctl is not None:
            _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

    with log.open("ab") as out:
        if out.tell() > LOG_LIMIT:
            out.truncate(0)
        began = out.seek(0, os.SEEK_END)
        handle = subprocess.Popen(
            process.command,
            cwd=settings.BASE_DIR,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - the parent has no threads
        )
    return Child(process.name, log, handle, began)


def _since(path: Path, offset: int) -> bytes:
    with path.open("rb") as handle:
        handle.seek(offset)
        return handle.read()


def _hold(path: Path) -> BinaryIO:
    """Take the lock that one running product holds; it falls when its process ends, however that ends."""
    handle = path.open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise AlreadyUp(f"The product already runs on {path.parent}. Stop it first, or name another folder in FSF_VAR.") from None
    return handle


def _ask(url: str) -> tuple[bool, str]:
    """Whether the address answers 200, and what it said; without any proxy that the environment may name."""
    _, _, rest = url.partition("://")
    place, _, path = rest.partition("/")
    connection = http.client.HTTPConnection(place, timeout=5)
    try:
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        return answer.status == http.HTTPStatus.OK, f"{answer.status} {answer.read(500).decode(errors='replace')}".strip()
    except (OSError, http.client.HTTPException) as wrong:
        return False, str(wrong)
    finally:
        connection.close()


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _raise_stopped(number: int, _frame: FrameType | None) -> None:
    raise Stopped(signal.Signals(number).name)


def embedded_environment(url: str) -> dict[str, str]:
    """The children's environment: this one, with links in mails pointing to where the product really listens."""
    return {"FSF_URL": url, **os.environ}
