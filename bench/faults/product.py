"""The product with a database of its own on a port that stays the same, so that it can be killed and come back."""

import json
import os
import random
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.databases import Place, place, server
from bench.post_run import environment
from bench.servers import ROOT, free_port, granian, run, started, wait


class Product:
    """Inside `with` it serves; `token` and `checkpoints` are there to post with."""

    def __init__(self, where: Place, folder: Path) -> None:
        self.where, self.folder, self.port = where, folder, lasting_port()
        self.env = environment(where, folder)
        run("manage.py", "migrate", "--verbosity", "0", env=self.env)
        known = json.loads(run("-m", "bench.prepare", env=self.env))
        self.token: str = known["token"]
        self.checkpoints: list[str] = known["checkpoints"]
        self._running = ExitStack()
        self._group = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it with everything in it."""
        self._running.close()

    def start(self) -> None:
        """Start the server and wait until it is ready; raises NotServing."""
        log, size = self.folder / "product.log", {"workers": self.where.workers, "threads": self.where.threads}
        command = granian("fsf.wsgi:application", **size, port=self.port)
        process = self._running.enter_context(started(command, folder=ROOT, env=self.env, log=log))
        self._group = process.pid
        wait(process, self.port, "GET /readyz", log)

    def kill(self) -> None:
        """End all of its processes at once, in the middle of whatever they do."""
        os.killpg(self._group, signal.SIGKILL)
        self._running.close()

    def rows(self, *names: str) -> dict[str, Any]:
        """What its database holds, read by a process of its own; of the runs those whose external id begins with one of the names."""
        found = json.loads(run("-m", "bench.faults.rows", env=self.env))
        return {**found, "runs": {name: numbers for name, numbers in found["runs"].items() if name.startswith(names)}}


def lasting_port() -> int:
    """A free port that no outgoing connection is given: while the server is away, one to such a port could otherwise meet itself."""
    for port in random.sample(range(20_000, 32_000), 50):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    return free_port()


@contextmanager
def product_on(database: str, folder: Path) -> Iterator[Product]:
    """The product, serving, on `sqlite` or on `postgresql`."""
    with ExitStack() as stack:
        sqlite = Place(f"sqlite:///{folder / 'faults.sqlite3'}", "SQLite", workers=1)
        where = sqlite if database == "sqlite" else stack.enter_context(place(folder))
        yield stack.enter_context(Product(where, folder))


def databases() -> list[str]:
    """What there is to try on."""
    return ["sqlite", "postgresql"] if server() else ["sqlite"]
