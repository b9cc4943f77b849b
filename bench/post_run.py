"""How much of a bare POST-to-INSERT the whole way of a result keeps: both on the same server, in turn, in one run.

The whole way is what the product does with a posted run: token, checks, stored, judged against an alert and a critical line,
summarised, audited, answered. Everything runs on loopback on this machine and is stopped and dropped at the end.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.databases import Place, place
from bench.load import CLIENTS, Clients, Round, Target, WrongAnswer, bodies
from bench.servers import NotServing, run, serving

ROUNDS, WARM, LEAST, MOST = 5, 160, 80, 1600
SECONDS_A_ROUND = 7  # of the slower side
STOP_AFTER = 55  # seconds; no round begins later, so that the whole stays under two minutes
Pair = tuple[Round, Round]


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)


def environment(where: Place, folder: Path) -> dict[str, str]:
    """What both servers are told: this environment with a database and a folder of their own, and no broker but files."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FSF_") and key not in {"REDIS_URL", "EMAIL_URL"}}
    return {**kept, "DATABASE_URL": where.url, "FSF_VAR": str(folder), "DJANGO_SETTINGS_MODULE": "fsf.settings"}


@contextmanager
def both(where: Place, folder: Path, env: dict[str, str]) -> Iterator[tuple[Target, Target, list[str]]]:
    """The product and the bare application, serving; and the checkpoints to post about."""
    say(f"Preparing a database of its own on {where.name} ...")
    run("manage.py", "migrate", "--verbosity", "0", env=env)
    known = json.loads(run("-m", "bench.prepare", env=env))
    say("Starting both servers ...")
    size: Any = {"workers": where.workers, "threads": where.threads, "env": env}
    with (
        serving("fsf.wsgi:application", **size, log=folder / "product.log", ready="GET /readyz") as port,
        serving("bench.bare:application", **size, log=folder / "bare.log", ready="POST /") as bare_port,
    ):
        yield Target(port, "/api/v1/runs/", known["token"]), Target(bare_port, "/"), known["checkpoints"]


def measure(product: Target, bare: Target, checkpoints: list[str]) -> tuple[list[Pair], int]:
    """The rounds, and how many posts each side got in each; who goes first changes from round to round."""
    began, found = time.monotonic(), []
    with Clients() as clients:
        say(f"Warming both with {WARM} posts ...")
        prepared = bodies(WARM, checkpoints, "warm", seed=0)
        clients.post(bare, prepared)
        rate = clients.post(product, prepared).rate
        count = min(MOST, max(LEAST, int(rate * SECONDS_A_ROUND) // CLIENTS * CLIENTS))
        for number in range(1, ROUNDS + 1):
            say(f"Round {number} of {ROUNDS}: {count} posts to each ...")
            prepared = bodies(count, checkpoints, f"round-{number}", seed=number)
            order = (product, bare) if number % 2 else (bare, product)
            took = {target: clients.post(target, prepared) for target in order}
            found.append((took[product], took[bare]))
            if time.monotonic() - began > STOP_AFTER:
                say("Time is up; the rounds so far count.")
                break
    return found, count


def table(found: list[Pair], count: int, where: Place) -> str:
    """The rounds and the ratios, for people."""
    ratios = sorted(whole.rate / bare.rate for whole, bare in found)
    server = f"granian WSGI, {where.workers} worker{'s' * (where.workers > 1)} of {where.threads} threads"
    lines = [
        f"POST /api/v1/runs/, the whole way, beside a bare POST-to-INSERT: {where.name}, {server}",
        f"{CLIENTS} clients, {count} posts a round to each side, in turn",
        "",
        f"{'':6}{'whole way':>26}{'bare':>29}",
        f"{'round':6}{'/s':>10}{'p50 ms':>8}{'p99 ms':>8}{'/s':>13}{'p50 ms':>8}{'p99 ms':>8}{'ratio':>9}",
    ]
    for number, (whole, bare) in enumerate(found, 1):
        left = f"{number:<6}{whole.rate:>10,.0f}{whole.p50:>8.1f}{whole.p99:>8.1f}"
        lines.append(f"{left}{bare.rate:>13,.0f}{bare.p50:>8.1f}{bare.p99:>8.1f}{whole.rate / bare.rate:>9.3f}")
    middle = [median(side.rate for side in sides) for sides in zip(*found, strict=True)]
    lines += [
        f"{'median':6}{middle[0]:>10,.0f}{'':16}{middle[1]:>13,.0f}",
        "",
        f"whole way / bare: min {ratios[0]:.3f}, median {median(ratios):.3f}, max {ratios[-1]:.3f}",
        "Clients, servers and database share this machine: ratios travel, absolute figures do not.",
    ]
    return "\n".join(lines)


def check(found: list[Pair], count: int, env: dict[str, str]) -> str:
    """A sentence where every post answered was kept, judged and audited once; raises WrongAnswer where not."""
    return check_posted(len(found) * count + WARM, env)


def check_posted(posted: int, env: dict[str, str]) -> str:
    """A sentence where exactly this many posted runs are kept, judged and audited once; raises WrongAnswer where not."""
    kept = json.loads(run("-m", "bench.check", env=env))
    if {kept[name] for name in ("EvalRun", "Assessment", "Receipt", "audited")} != {posted} or kept["broken"] is not None:
        raise WrongAnswer(f"{posted} posts were answered, but the database holds {kept}.")
    return f"All {posted:,} posted runs are kept, judged and audited; {kept['Crossing']} crossed a line; the audit chain holds."


def main() -> None:
    """Measure and print; whatever was started is stopped, also where this is interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="fsf-bench-") as name:
        folder = Path(name)
        try:
            with place(folder) as where:
                env = environment(where, folder)
                with both(where, folder, env) as (product, bare, checkpoints):
                    found, count = measure(product, bare, checkpoints)
                checked = check(found, count, env)
        except (NotServing, WrongAnswer) as wrong:
            ends = [f"{log.name} ends with:\n{log.read_text(errors='replace')[-2000:]}" for log in folder.glob("*.log")]
            sys.exit("\n".join([f"Nothing was measured. {wrong}", *ends]))
        print(f"\n{table(found, count, where)}\n{checked}")


if __name__ == "__main__":
    main()
