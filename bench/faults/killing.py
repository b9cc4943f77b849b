"""The server is killed in the middle of posts and of batches: does every acknowledged run exist exactly once, once all is delivered?"""

import contextlib
import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from bench.faults.dropping import post_all
from bench.faults.ledger import Compared, Ledger, compare
from bench.faults.product import Product
from bench.load import WrongAnswer, bodies
from fsf_client import Client

PATIENCE, BATCH = 120, 200
RUNS_BETWEEN = (0.4, 1.2)  # seconds that a server lives, from when it answers
NO_BATCHES = {http.HTTPStatus.NOT_FOUND, http.HTTPStatus.METHOD_NOT_ALLOWED}


@dataclass(frozen=True, slots=True)
class Killing:
    """What came of it; `broken` are requests of batches that ended without an answer, `batched` the runs acknowledged in batches."""

    posts: int
    kills: int
    broken: int
    batched: int
    crashes: tuple[str, ...]
    unsent: int
    compared: Compared

    @property
    def holds(self) -> bool:
        """Whether it was as it must be."""
        return self.compared.holds and not (self.unsent or self.crashes)

    def __str__(self) -> str:
        """A few lines."""
        batched = f"{self.batched:,} runs in batches ({self.broken} requests broken off)"
        lines = (
            f"{self.posts:,} posts, {batched}, killed {self.kills} times",
            f"{self.unsent} unsent, the client crashed {len(self.crashes)} times {' '.join(self.crashes[:1])}",
            str(self.compared),
        )
        return "\n  ".join(lines)


def kill_amid(product: Product, *, posts: int, kills: int) -> Killing:
    """Post runs and batches while the server is killed and started again `kills` times, and compare ledger and rows."""
    runs = [json.loads(body) for body in bodies(posts, product.checkpoints, "killed", seed=5)]
    ledger, box = Ledger(product.folder / "killed.ledger"), product.folder / "outbox-killed"
    with Client(product.url, product.token, outbox=box, patience=PATIENCE) as client:
        with _batching(product, ledger) as batching:
            killed, crashes = _post_amid_kills(product, client, runs, ledger, kills)
        client.send_outbox()
        unsent = len(client.outbox.unsent(client.url))
    posted = [run["external_id"] for run in runs] + batching.posted
    compared = compare(posted, ledger.read(), product.rows("killed-", "batch-"))
    return Killing(posts, killed, batching.broken, len(batching.posted), tuple(crashes + batching.crashes), unsent, compared)


def _post_amid_kills(product: Product, client: Client, runs: Sequence[dict[str, Any]], ledger: Ledger, kills: int) -> tuple[int, list[str]]:
    """Post in slices, one for each life of the server, so that every kill falls among posts; returns kills and what the client raised."""
    chance, killed, each = random.Random(7), 0, -(-len(runs) // (kills + 1))  # noqa: S311 - nothing secret
    crashes: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        for first in range(0, len(runs), each):
            posting = pool.submit(post_all, client, runs[first : first + each], ledger)
            if first + each < len(runs):
                wait([posting], timeout=chance.uniform(*RUNS_BETWEEN))
                killed += not posting.done()
                product.kill()
                product.start()
            crashes += posting.result()
    return killed, crashes


class _Batching(threading.Thread):
    """Posts one batch after the other until it is told to end, each under its key until it is answered."""

    def __init__(self, product: Product, ledger: Ledger) -> None:
        super().__init__()
        self.product, self.ledger = product, ledger
        self.posted: list[str] = []
        self.broken = 0
        self.crashes: list[str] = []
        self.ending = threading.Event()

    def run(self) -> None:
        """Until told to end, or the server says that it takes none."""
        try:
            self._post_batches()
        except Exception as wrong:  # noqa: BLE001 - whatever it is, it is a finding
            self.crashes.append(repr(wrong))

    def _post_batches(self) -> None:
        for number in itertools.count():
            batch = bodies(BATCH, self.product.checkpoints, f"batch-{number}", seed=number)
            items = self._answered(b"[%s]" % b",".join(batch), f"batch-{number}")
            if items is None:
                return
            for body, item in zip(batch, items, strict=True):
                name = str(json.loads(body)["external_id"])
                self.posted.append(name)
                self.ledger.note(name, int(item["id"]))
            if self.ending.wait(0.1):
                return

    def _answered(self, body: bytes, key: str) -> list[dict[str, Any]] | None:
        """The outcome of each item, once every one is stored; None where the server takes no batches. Raises WrongAnswer in the end."""
        until, said = time.monotonic() + PATIENCE, ""
        while time.monotonic() < until:
            try:
                status, content = self._ask(body, key)
            except (OSError, http.client.HTTPException) as wrong:
                self.broken += 1
                status, content = 0, repr(wrong).encode()
            if status in NO_BATCHES:
                return None
            items = json.loads(content)["items"] if status == http.HTTPStatus.MULTI_STATUS else []
            if items and all(item["status"] < 300 for item in items):
                return list(items)
            said = f"{status}: {content[:500].decode(errors='replace')}"
            time.sleep(0.1)
        raise WrongAnswer(f"A batch was not stored in {PATIENCE} s: {said}")

    def _ask(self, body: bytes, key: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.product.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.product.token}", "Content-Type": "application/json", "Idempotency-Key": f'"{key}"'}
        with contextlib.closing(connection):
            connection.request("POST", "/api/v1/runs/batch/", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()


@contextlib.contextmanager
def _batching(product: Product, ledger: Ledger) -> Iterator[_Batching]:
    """Batches beside whatever is done inside; afterwards the last of them is stored."""
    thread = _Batching(product, ledger)
    thread.start()
    try:
        yield thread
    finally:
        thread.ending.set()
        thread.join()
