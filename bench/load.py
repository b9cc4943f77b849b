"""Eight clients, each a process with one kept-alive connection, that post prepared bodies one after the other and time each answer."""

import http.client
import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from types import TracebackType
from typing import Any, Self

import orjson

CLIENTS = 8
TASKS = 200
CROSSES_ONE_IN = 250  # posts that reach the alert line; a checkpoint that has reached it does not cross it again
Mine = tuple[float, float, list[float]]


class WrongAnswer(Exception):
    """A post was not answered by 201; a rate of failures is no rate."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to post: port on loopback, path, bearer token or nothing."""

    port: int
    path: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round took: posts a second over all clients, milliseconds of the middle and of the slowest hundredth."""

    rate: float
    p50: float
    p99: float


def bodies(count: int, checkpoints: Sequence[str], name: str, seed: int) -> list[bytes]:
    """Runs as a pipeline posts them: mostly far below the alert line, few at it."""
    chance, started = random.Random(seed), time.time() - 86_400  # noqa: S311 - nothing secret
    return [
        orjson.dumps(
            {
                "producer": {"name": "bench", "version": "1.0"},
                "external_id": f"{name}-{number}",
                "checkpoint": chance.choice(checkpoints),
                "evaluation": "bench-tasks@1",
                "completed": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started + number)),
                "coverage": {"planned": TASKS, "completed": TASKS, "scored": TASKS},
                "elicitation": {"scaffold": "react", "attempts": 1, "tools": ["bash", "python"]},
                "provenance": {"commit": f"{chance.getrandbits(160):040x}", "log": f"logs/{name}/{number}.eval"},
                "measurements": [{"metric": "solved", "solved": _solved(chance), "total": TASKS}],
            }
        )
        for number in range(count)
    ]


def _solved(chance: random.Random) -> int:
    return 60 if chance.randrange(CROSSES_ONE_IN) == 0 else chance.randrange(16)


class Clients:
    """The client processes; inside `with` they live."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = context.Pool(CLIENTS, initializer=_meet_at, initargs=(context.Barrier(CLIENTS, timeout=60),))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End them, whatever happened."""
        self._pool.terminate()
        self._pool.join()

    def post(self, target: Target, prepared: Sequence[bytes]) -> Round:
        """Post everything, each body once; raises WrongAnswer."""
        return self.work(_post_mine, target, prepared)

    def work(self, way: Callable[[Any, Sequence[Any]], Mine], target: object, prepared: Sequence[Any]) -> Round:
        """Do everything, each part once, by `way`: a function of the target and one client's share, which begins with `meet`."""
        mine = [prepared[number::CLIENTS] for number in range(CLIENTS)]
        done: list[Mine] = self._pool.starmap(way, [(target, part) for part in mine], chunksize=1)
        took = sorted(each for _, _, times in done for each in times)
        seconds = max(ended for _, ended, _ in done) - min(began for began, _, _ in done)
        p50, p99 = (1000 * took[int(share * (len(took) - 1))] for share in (0.5, 0.99))
        return Round(len(took) / seconds, p50, p99)


def _meet_at(barrier: Barrier) -> None:
    meet.barrier = barrier  # type: ignore[attr-defined]


def meet() -> float:
    """In a client process: wait until all clients are ready, and tell when that was."""
    meet.barrier.wait()  # type: ignore[attr-defined]
    return time.monotonic()


def _post_mine(target: Target, prepared: Sequence[bytes]) -> Mine:
    """One client's posts: when it began and ended (the machine's monotonic clock), and the seconds of each."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=20)
    connection.connect()
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {target.token}"} if target.token else {})}
    times = []
    began = meet()
    for body in prepared:
        sent = time.monotonic()
        connection.request("POST", target.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        times.append(time.monotonic() - sent)
        if answer.status != http.HTTPStatus.CREATED:
            raise WrongAnswer(f"{target.path} answered {answer.status}: {content[:500].decode(errors='replace')}")
    ended = time.monotonic()
    connection.close()
    return began, ended, times
