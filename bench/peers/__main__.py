"""The whole way of a posted run beside MLflow's tracking server doing the same, and beside a bare POST-to-INSERT: one run, one machine."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.databases import Place, place
from bench.load import CLIENTS, Clients, Round, WrongAnswer, bodies
from bench.peers import mlflow
from bench.peers.environments import NotInstalled
from bench.post_run import both, check_posted, environment, say
from bench.servers import NotServing

WARM, MOST = 160, 24_000  # posts
WARM_SECONDS = 4.0
GOALS = {"mlflow": 15.0, "bare": 0.25}  # product divided by it, at least
NAMES = {"product": "product, the whole way", "bare": "bare POST-to-INSERT", "mlflow": f"MLflow {mlflow.version()}"}


@dataclass(frozen=True, slots=True)
class Side:
    """One of those compared: what is done, with `many` pieces of work under a name, by eight clients."""

    name: str
    warm: int
    work: Callable[[Clients, str, int], Round]


@dataclass(frozen=True, slots=True)
class Found:
    """The rounds of each side, and how many pieces of work each was given in all, warming included."""

    rounds: Mapping[str, list[Round]]
    done: Mapping[str, int]


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6, help="of each side in each round, about")
    parser.add_argument("--without", action="append", default=[], choices=["mlflow", "bare"])
    parser.add_argument("--processes", type=int, choices=[1, 2, 4, 8], help="of the product and of the bare function")
    return parser.parse_args()


@contextmanager
def sides(where: Place, folder: Path, env: dict[str, str], without: Sequence[str]) -> Iterator[tuple[list[Side], str]]:
    """All of them serving at the same time, and MLflow's database or nothing."""
    with ExitStack() as stack:
        product, bare, checkpoints = stack.enter_context(both(where, folder, env))

        def posting(target: Any) -> Callable[[Clients, str, int], Round]:
            return lambda clients, name, many: clients.post(target, bodies(many, checkpoints, name, seed=many))

        found = [Side("product", WARM, posting(product)), Side("bare", WARM, posting(bare))]
        found = [side for side in found if side.name not in without]
        url = "" if "mlflow" in without else _with_mlflow(stack, where, folder, found)
        yield found, url


def _with_mlflow(stack: ExitStack, where: Place, folder: Path, found: list[Side]) -> str:
    say(f"Starting MLflow {mlflow.version()} ...")
    try:
        experiment, url = stack.enter_context(mlflow.beside(where, folder))
    except (NotInstalled, NotServing) as wrong:
        say(f"MLflow is left out: {' '.join(str(wrong).split())[:300]}")
        return ""

    def work(clients: Clients, name: str, many: int) -> Round:
        return clients.work(mlflow.evaluate_mine, experiment, [f"{name}-{number}" for number in range(many)])

    found.append(Side("mlflow", WARM // 2, work))
    return url


def measure(chosen: list[Side], rounds: int, seconds: float) -> Found:
    """Each side for about as long in each round; who goes first turns from round to round."""
    found, done = {side.name: [] for side in chosen}, {side.name: side.warm for side in chosen}
    with Clients() as clients:
        say("Warming them ...")
        rates = {side.name: side.work(clients, "first", side.warm).rate for side in chosen}
        for side in chosen:  # until plans are made and code is warm, which takes more of the quicker ones' work
            many = _many(rates[side.name] * WARM_SECONDS)
            rates[side.name] = side.work(clients, "warm", many).rate
            done[side.name] += many
        for number in range(rounds):
            first = number % len(chosen)
            for side in chosen[first:] + chosen[:first]:
                many = _many(rates[side.name] * seconds)
                say(f"Round {number + 1} of {rounds}, {NAMES[side.name]}: {many:,} ...")
                took = side.work(clients, f"round-{number + 1}", many)
                found[side.name].append(took)
                rates[side.name] = took.rate
                done[side.name] += many
    return Found(found, done)


def _many(about: float) -> int:
    """So many pieces of work, the same for each client."""
    return min(MOST, max(CLIENTS, int(about) // CLIENTS * CLIENTS))


def table(found: Found, where: Place) -> str:
    """The rounds, the medians and the ratios of rates in the same round."""
    sizes = f"granian WSGI, {where.workers} x {where.threads} threads; MLflow: uvicorn with uvloop, {mlflow.WORKERS} processes"
    lines = [
        f"{CLIENTS} clients with kept-alive connections on {where.name}; {sizes}",
        "One piece of work: one posted run judged and audited | one INSERT | create run, log-batch of 5 metrics, finish",
        "",
        f"{'':24}{'a second, round by round':>30}{'median':>10}{'p50 ms':>9}{'p99 ms':>9}{'product / it':>14}  goal",
        *[_row(name, found) for name in found.rounds],
        "",
        "p50 and p99 are medians of the rounds; product / it is the median of the ratios of each round.",
        "Clients, servers and database share this machine: ratios travel, absolute figures do not.",
    ]
    return "\n".join(lines)


def _row(name: str, found: Found) -> str:
    rounds = found.rounds[name]
    rates = " ".join(f"{each.rate:9,.0f}" for each in rounds)
    middle = f"{median(each.rate for each in rounds):>10,.0f}{median(e.p50 for e in rounds):>9.1f}{median(e.p99 for e in rounds):>9.1f}"
    row = f"{NAMES[name]:24}{rates:>30}{middle}"
    if name not in GOALS:
        return row
    ratio = median(ours.rate / theirs.rate for ours, theirs in zip(found.rounds["product"], rounds, strict=True))
    verdict = "kept" if ratio >= GOALS[name] else "NOT KEPT"
    return f"{row}{ratio:>14.3g}  at least {GOALS[name]:g}: {verdict}"


def check(found: Found, env: dict[str, str], url: str) -> list[str]:
    """A sentence for each side whose rows were counted; raises WrongAnswer where what was answered is not there."""
    lines = [check_posted(found.done["product"], env)]
    if not url.startswith("postgres"):
        return lines
    finished, metrics = mlflow.kept(url)
    if (finished, metrics) != (found.done["mlflow"], found.done["mlflow"] * mlflow.METRICS):
        raise WrongAnswer(f"MLflow answered {found.done['mlflow']} evaluations, but keeps {finished} runs and {metrics} metrics.")
    return [*lines, f"MLflow keeps all {finished:,} runs with {metrics:,} metrics."]


def main() -> None:
    """Measure and print; whatever was started is stopped, also where this is interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    asked = options()
    with tempfile.TemporaryDirectory(prefix="fsf-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            with place(folder) as made:
                where = made if asked.processes is None else replace(made, workers=asked.processes)
                env = environment(where, folder)
                with sides(where, folder, env, asked.without) as (chosen, url):
                    found = measure(chosen, asked.rounds, asked.seconds)
                    checked = check(found, env, url)
        except (NotServing, WrongAnswer) as wrong:
            ends = [f"{log.name} ends with:\n{log.read_text(errors='replace')[-2000:]}" for log in folder.glob("*.log")]
            sys.exit("\n".join([f"Nothing was measured. {wrong}", *ends]))
        print("\n".join(["", table(found, where), *checked]))


if __name__ == "__main__":
    main()
