"""Many threads post one run at the same moment, under one key or each under its own: one row, one answer for all, and no failure."""

import http.client
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from time import monotonic, sleep
from typing import Any

from bench.faults.product import Product
from bench.load import bodies

THREADS, PATIENCE = 64, 60
IN_FLIGHT = http.HTTPStatus.CONFLICT  # answered with Retry-After while the first is still at it


@dataclass(frozen=True, slots=True)
class OneRun:
    """`answers` are the first answers by status, `said` how many different contents the last answers had, `rows` the runs stored."""

    keys: int
    threads: int
    answers: dict[int, int]
    unanswered: int
    said: int
    rows: int

    @property
    def holds(self) -> bool:
        """Whether it was as it must be."""
        return (self.rows, self.said, self.unanswered) == (1, 1, 0) and all(status < 500 for status in self.answers)

    def __str__(self) -> str:
        """One line."""
        answers = ", ".join(f"{count} x {status}" for status, count in sorted(self.answers.items()))
        crowd = f"one run from {self.threads} threads at once under {self.keys} key{'s' * (self.keys > 1)}"
        return f"{crowd}: {self.rows} row; {answers}; {self.said} content in the end, {self.unanswered} unanswered"


def post_one_run(product: Product, *, name: str, keys: int, threads: int = THREADS) -> OneRun:
    """All threads post the same content under so many keys, let go together; who is told to wait asks again."""
    body, start = bodies(1, product.checkpoints, name, seed=3)[0], Barrier(threads)

    def post(number: int) -> list[tuple[int, bytes]]:
        key = f"{name}-{number % keys}"
        start.wait(timeout=30)
        answers = [_post(product, body, key)]
        until = monotonic() + PATIENCE
        while answers[-1][0] == IN_FLIGHT and monotonic() < until:
            sleep(0.2)
            answers.append(_post(product, body, key))
        return answers

    with ThreadPoolExecutor(threads) as pool:
        done = list(pool.map(post, range(threads)))
    last = [_said(content) for status, content in (answers[-1] for answers in done) if status < 300]
    rows = len(product.rows(name)["runs"].get(f"{name}-0", []))
    return OneRun(keys, threads, dict(Counter(answers[0][0] for answers in done)), threads - len(last), len(set(last)), rows)


def _post(product: Product, body: bytes, key: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=60)
    headers = {"Authorization": f"Bearer {product.token}", "Content-Type": "application/json", "Idempotency-Key": f'"{key}"'}
    connection.request("POST", "/api/v1/runs/", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def _said(content: bytes) -> str:
    said: dict[str, Any] = json.loads(content)
    said.pop("replayed", None)
    return json.dumps(said, sort_keys=True)
