"""How many results a second a batch stores, judges, summarises, audits and answers: parsed over HTTP, in one run, on this machine.

Four clients post batches of ten thousand runs at the same time, each about checkpoints of its own: of two, both connections often went
to one of the server's two processes. Every item must be answered by
201, and afterwards every run must be kept, judged and named in the audit log, whose chain must hold; else nothing is printed.
"""

import http.client
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Barrier

import orjson

from bench.databases import Place, place
from bench.load import WrongAnswer, bodies
from bench.post_run import check_posted, environment, say
from bench.servers import NotServing, run, serving

CLIENTS, SIZE, ROUNDS = 4, 10_000, 5
GOAL = 10_000  # judged results a second
PATH = "/api/v1/runs/batch/"


@dataclass(frozen=True, slots=True)
class Sent:
    """One batch of a client: when it began and ended (the machine's monotonic clock), and the bytes there and back."""

    began: float
    ended: float
    there: int
    back: int


@dataclass(frozen=True, slots=True)
class Server:
    """The product, serving, with a token and the checkpoints to post about."""

    port: int
    token: str
    checkpoints: list[str]


@contextmanager
def product(where: Place, folder: Path, env: dict[str, str]) -> Iterator[Server]:
    """The product on a database of its own."""
    say(f"Preparing a database of its own on {where.name} ...")
    run("manage.py", "migrate", "--verbosity", "0", env=env)
    known = json.loads(run("-m", "bench.prepare", env=env))
    say("Starting the server ...")
    served = {"workers": where.workers, "threads": where.threads}
    with serving("fsf.wsgi:application", **served, env=env, log=folder / "product.log", ready="GET /readyz") as port:
        yield Server(port, known["token"], known["checkpoints"])


def post(server: Server, body: bytes, together: Barrier) -> tuple[Sent, bytes]:
    """One batch, sent when all clients are ready, and its answer; raises WrongAnswer where it was refused as a whole."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    connection.connect()
    together.wait(timeout=60)
    began = time.monotonic()
    connection.request("POST", PATH, body, {"Content-Type": "application/json", "Authorization": f"Bearer {server.token}"})
    answer = connection.getresponse()
    content = answer.read()
    ended = time.monotonic()
    connection.close()
    if answer.status != http.HTTPStatus.MULTI_STATUS:
        raise WrongAnswer(f"{PATH} answered {answer.status}: {content[:500].decode(errors='replace')}")
    return Sent(began, ended, len(body), len(content)), content


def rounds(server: Server) -> list[list[Sent]]:
    """The batches of every round; the first round warms the server and does not count. Raises WrongAnswer unless every item was stored.

    The answers are read when all are there: what a client does with its answer is not to slow down the others' batches.
    """
    together, found = Barrier(CLIENTS), []
    with ThreadPoolExecutor(CLIENTS) as pool:
        for number in range(ROUNDS + 1):
            say(f"Round {number} of {ROUNDS}: {CLIENTS} batches of {SIZE:,} ...")
            prepared = [batch(server.checkpoints[client::CLIENTS], number, client) for client in range(CLIENTS)]
            sent = list(pool.map(lambda body: post(server, body, together), prepared))
            for _, content in sent:
                check_stored(content)
            found.append([each for each, _ in sent])
    return found[1:]


def check_stored(content: bytes) -> None:
    """Raise WrongAnswer unless every item was stored."""
    told = orjson.loads(content)
    if told["counts"]["created"] != SIZE or {item["status"] for item in told["items"]} != {http.HTTPStatus.CREATED}:
        raise WrongAnswer(f"{PATH} answered {content[:500].decode(errors='replace')}")


def batch(checkpoints: Sequence[str], number: int, client: int) -> bytes:
    """A JSON array of runs as a pipeline posts them."""
    return b"[" + b",".join(bodies(SIZE, checkpoints, f"batch-{number}-{client}", seed=number * CLIENTS + client)) + b"]"


def table(found: list[list[Sent]], where: Place) -> str:
    """The rounds, for people."""
    server = f"granian WSGI, {where.workers} worker{'s' * (where.workers > 1)} of {where.threads} threads"
    lines = [
        f"POST {PATH}, the whole way: {where.name}, {server}",
        f"{CLIENTS} clients at once, {SIZE:,} runs with one judged result each in a batch",
        "",
        f"{'round':6}{'judged results/s':>18}{'slower batch s':>16}{'sent MB':>9}{'answered MB':>13}",
    ]
    rates = []
    for number, sent in enumerate(found, 1):
        rates.append(CLIENTS * SIZE / (max(each.ended for each in sent) - min(each.began for each in sent)))
        slower, there, back = max(each.ended - each.began for each in sent), sum(e.there for e in sent), sum(e.back for e in sent)
        lines.append(f"{number:<6}{rates[-1]:>18,.0f}{slower:>16.2f}{there / 1e6:>9.1f}{back / 1e6:>13.1f}")
    verdict = "reached" if median(rates) >= GOAL else "NOT reached"
    lines += [
        "",
        f"min {min(rates):,.0f}, median {median(rates):,.0f}, max {max(rates):,.0f} judged results a second; goal {GOAL:,}: {verdict}",
        "Clients, server and database share this machine.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print; whatever was started is stopped, also where this is interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="fsf-bench-") as name:
        folder = Path(name)
        try:
            with place(folder) as where:
                env = environment(where, folder)
                with product(where, folder, env) as server:
                    found = rounds(server)
                checked = check_posted((ROUNDS + 1) * CLIENTS * SIZE, env)
        except (NotServing, WrongAnswer) as wrong:
            ends = [f"{log.name} ends with:\n{log.read_text(errors='replace')[-2000:]}" for log in folder.glob("*.log")]
            sys.exit("\n".join([f"Nothing was measured. {wrong}", *ends]))
        print(f"\n{table(found, where)}\n{checked}")


if __name__ == "__main__":
    main()
