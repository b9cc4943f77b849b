"""MLflow's tracking server in an environment of its own, and evaluations with it by REST: create a run, log five metrics, finish it."""

import http.client
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from bench.databases import Place
from bench.load import WrongAnswer, meet
from bench.peers.environments import environment_of
from bench.servers import free_port, started, wait

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
WORKERS = 4  # processes: what it takes if not told; with 2 and with 1 it was slower on two cores
METRICS = 5
QUIET = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
Mine = tuple[float, float, list[float]]


@dataclass(frozen=True, slots=True)
class Experiment:
    """Where evaluations are logged: port on loopback, number of the experiment."""

    port: int
    number: str


def version() -> str:
    """The version that is pinned."""
    return next(line.split("==")[1] for line in REQUIREMENTS.read_text().splitlines() if line.startswith("mlflow=="))


@contextmanager
def beside(where: Place, folder: Path) -> Iterator[tuple[Experiment, str]]:
    """The server on a database of its own on the same database server, and that database; raises NotInstalled and NotServing."""
    python = environment_of(REQUIREMENTS)
    with database(where, folder) as url:
        port, log = free_port(), folder / "mlflow.log"
        stores = ("--backend-store-uri", url, "--default-artifact-root", (folder / "artifacts").as_uri())
        listens = ("--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS))
        lean = ("--uvicorn-opts", "--loop uvloop --no-access-log --log-level warning")
        command = [str(python), "-m", "mlflow", "server", *stores, *listens, *lean]
        path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        with started(command, folder=folder, env={**os.environ, **QUIET, "PATH": path}, log=log) as process:
            wait(process, port, "GET /health", log)
            number = ask(http.client.HTTPConnection("127.0.0.1", port, timeout=30), "experiments/create", {"name": "bench"})
            yield Experiment(port, str(number["experiment_id"])), url


@contextmanager
def database(where: Place, folder: Path) -> Iterator[str]:
    """A new database beside that of the product, as SQLAlchemy names it, and its end."""
    if not where.url.startswith("postgres"):
        yield f"sqlite:///{folder / 'mlflow.sqlite3'}"
        return
    name = f"{urlsplit(where.url).path.lstrip('/')}_mlflow"
    with psycopg.connect(where.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlsplit(where.url)._replace(scheme="postgresql+psycopg2", path=f"/{name}").geturl()
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def ask(connection: http.client.HTTPConnection, path: str, content: dict[str, object]) -> dict[str, object]:
    """One REST call over a connection that is kept alive; raises WrongAnswer."""
    body = json.dumps(content).encode()
    connection.request("POST", f"/api/2.0/mlflow/{path}", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    raw = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise WrongAnswer(f"MLflow's {path} answered {answer.status}: {raw[:500].decode(errors='replace')}")
    return dict(json.loads(raw))


def evaluate_mine(experiment: Experiment, names: Sequence[str]) -> Mine:
    """One client's evaluations: when it began and ended, and the seconds of each."""
    connection = http.client.HTTPConnection("127.0.0.1", experiment.port, timeout=30)
    connection.connect()
    times, began = [], meet()
    for name in names:
        sent = time.monotonic()
        evaluate(connection, experiment.number, name)
        times.append(time.monotonic() - sent)
    ended = time.monotonic()
    connection.close()
    return began, ended, times


def evaluate(connection: http.client.HTTPConnection, experiment: str, name: str) -> None:
    """One evaluation from its start to its end; the tags say what the product keeps of a run."""
    now = int(time.time() * 1000)
    tags = [{"key": key, "value": "bench"} for key in ("checkpoint", "evaluation", "producer")]
    made = ask(connection, "runs/create", {"experiment_id": experiment, "start_time": now, "run_name": name, "tags": tags})
    run = made["run"]["info"]["run_id"]  # type: ignore[index]
    metrics = [{"key": f"metric-{number}", "value": number / 10, "timestamp": now, "step": 0} for number in range(METRICS)]
    ask(connection, "runs/log-batch", {"run_id": run, "metrics": metrics})
    ask(connection, "runs/update", {"run_id": run, "status": "FINISHED", "end_time": now})


def kept(url: str) -> tuple[int, int]:
    """Finished runs and metrics in its database; (0, 0) where it is a SQLite file, which is not looked into."""
    if not url.startswith("postgres"):
        return 0, 0
    with psycopg.connect(urlsplit(url)._replace(scheme="postgresql").geturl()) as connection:
        row = connection.execute("SELECT (SELECT count(*) FROM runs WHERE status = 'FINISHED'), (SELECT count(*) FROM metrics)").fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)
