"""Milliseconds of each way to list runs, with ten thousand stored and with twenty times as many."""

import argparse
import base64
import http.client
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.parse import quote

from bench.databases import Place, place
from bench.post_run import environment, say
from bench.servers import NotServing, run, serving

TIMES, FLAT = 25, 1.2
OLD = "2020-01-01T00:00:00Z"


class Refused(Exception):
    """A list was not answered by 200."""


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.reading", description=__doc__)
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=200_000)
    return parser.parse_args()


def reads(checkpoints: list[str], newest: int) -> dict[str, str]:
    """What is read, by what it is called."""
    deep = quote(base64.b64encode(f"p={newest // 10}".encode()).decode())
    return {
        "newest 100": "runs/",
        "page at nine tenths": f"runs/?cursor={deep}",
        "of a checkpoint": f"runs/?checkpoint={checkpoints[1]}",
        "of a checkpoint with 5 old runs": f"runs/?checkpoint={checkpoints[0]}",
        "of an evaluation": "runs/?evaluation=bench-tasks",
        "of a model": "runs/?model=bench-3",
        "that failed (1 in 1,000)": "runs/?status=error",
        "of a producer": "runs/?producer=fill",
        "of a producer that has none": "runs/?producer=nobody",
        "with an external id": "runs/?external_id=fill-77",
        "incomplete (none)": "runs/?complete=false",
        "received since long ago": f"runs/?since={OLD}",
        "received before long ago (none)": f"runs/?until={OLD}",
        "one run": f"runs/{newest // 2}/",
    }


def timed(port: int, token: str, path: str) -> float:
    """The middle of the milliseconds of a read, over one connection; raises Refused."""
    connection, took = http.client.HTTPConnection("127.0.0.1", port, timeout=60), []
    for _ in range(TIMES):
        began = time.monotonic()
        connection.request("GET", f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        content = answer.read()
        took.append(1000 * (time.monotonic() - began))
        if answer.status != http.HTTPStatus.OK:
            raise Refused(f"{path} answered {answer.status}: {content[:300].decode(errors='replace')}")
    connection.close()
    return median(took[2:])


def measure(where: Place, env: dict[str, str], folder: Path, sizes: list[int]) -> dict[str, list[float]]:
    """Every read at every size."""
    run("manage.py", "migrate", "--verbosity", "0", env=env)
    known, found = json.loads(run("-m", "bench.prepare", env=env)), {}
    for size in sizes:
        say(f"Storing runs until there are {size:,} ...")
        newest = int(run("-m", "bench.reading.fill", str(size), env=env))
        served = {"workers": where.workers, "threads": where.threads}
        with serving("fsf.wsgi:application", **served, env=env, log=folder / "product.log", ready="GET /readyz") as port:
            for name, path in reads(known["checkpoints"], newest).items():
                found.setdefault(name, []).append(timed(port, known["token"], path))
    return found


def main() -> None:
    """Measure and print."""
    asked = options()
    with tempfile.TemporaryDirectory(prefix="fsf-reading-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            with place(folder) as where:
                found = measure(where, environment(where, folder), folder, [asked.few, asked.many])
        except (NotServing, Refused) as wrong:
            sys.exit(f"Nothing was measured. {wrong}")
    print(f"\nReading runs over the API on {where.name}, milliseconds (median of {TIMES - 2})\n")
    print(f"{'runs':36}{asked.few:>12,}{asked.many:>12,}{'ratio':>8}")
    for what, (few, many) in found.items():
        print(f"{what:36}{few:>12.1f}{many:>12.1f}{many / few:>8.2f}  {'' if many <= FLAT * few else 'NOT FLAT'}")


if __name__ == "__main__":
    main()
