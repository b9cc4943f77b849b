"""`fsf import` of a thousand small Inspect logs beside inspect_ai's own table of them: seconds, and the memory of client and server."""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.databases import Place, place
from bench.importing.logs import make_logs
from bench.load import WrongAnswer
from bench.peers.environments import NotInstalled, environment_of
from bench.post_run import environment, say
from bench.servers import ROOT, NotServing, free_port, granian, run, started, wait

FEW, TIMES_FASTER, FLAT = 100, 5.0, 1.2  # logs; the goals: how much faster, and how much more memory for ten times the logs
REQUIREMENTS = Path(__file__).parent / "importing" / "requirements.txt"
LONGEST = 120  # seconds of one import or one table


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of a process from its start to its end, of the work alone as far as it says so, and the most memory it had, in MB."""

    seconds: float
    work: float
    client: float
    server: float = 0.0


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.import_logs", description=__doc__)
    parser.add_argument("--logs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def timed(words: Sequence[str], env: dict[str, str]) -> tuple[float, float, str]:
    """Run a command to its end: seconds, its peak memory in MB, and what it printed; raises WrongAnswer where it fails."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as wrong:
        process = subprocess.Popen(words, cwd=ROOT, env=env, stdout=out, stderr=wrong)
        used = _waited(process)
        seconds = time.monotonic() - began
        for stream in (out, wrong):
            stream.seek(0)
        printed, said = out.read().decode(errors="replace"), wrong.read().decode(errors="replace")
    if process.returncode:
        raise WrongAnswer(f"{' '.join(map(str, words[1:4]))} ended with {process.returncode}: {said[-800:]} {printed[:800]}")
    return seconds, used.ru_maxrss / 1024, printed


def _waited(process: "subprocess.Popen[bytes]") -> resource.struct_rusage:
    signal.alarm(LONGEST)
    try:
        _, status, used = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        signal.alarm(0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used


@contextmanager
def product(where: Place, env: dict[str, str], folder: Path) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """The product serving, as its port and its first process."""
    port, log = free_port(), folder / "product.log"
    command = granian("fsf.wsgi:application", workers=where.workers, threads=where.threads, port=port)
    with started(command, folder=ROOT, env=env, log=log) as process:
        wait(process, port, "GET /readyz", log)
        yield port, process


def peak(process: "subprocess.Popen[bytes]") -> float:
    """The most memory that the server's processes had so far, each at its own time, added up, in MB."""
    return sum(_peak_of(each) for each in _group(process.pid)) / 1024


def _group(pid: int) -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*") if _group_of(path) == pid]


def _group_of(path: Path) -> int:
    try:
        return os.getpgid(int(path.name))
    except ProcessLookupError:
        return -1


def _peak_of(path: Path) -> int:
    lines = (path / "status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def imported(where: Place, env: dict[str, str], token: str, logs: Path) -> Took:
    """`fsf import` of a folder into a server of its own, whose memory is looked at afterwards."""
    work = logs.parent
    with product(where, env, work) as (port, process):
        told = {"FSF_URL": f"http://127.0.0.1:{port}", "FSF_TOKEN": token, "FSF_OUTBOX": str(work / "outbox")}
        path = f"{ROOT / 'client'}{os.pathsep}{ROOT}"
        words = [sys.executable, "-m", "fsf_client", "import", str(logs)]
        seconds, client, _ = timed(words, {**env, **told, "PYTHONPATH": path, "XDG_STATE_HOME": str(work / "state")})
        server = peak(process)
    return Took(seconds, seconds, client, server)


def tabled(python: Path, env: dict[str, str], logs: Path) -> Took:
    """inspect_ai's table of the same folder."""
    seconds, memory, printed = timed([str(python), str(ROOT / "bench" / "importing" / "table_of.py"), str(logs)], env)
    said = json.loads(printed.splitlines()[-1])
    if said["rows"] != len(list(logs.iterdir())):
        raise WrongAnswer(f"inspect_ai's table has {said['rows']} rows.")
    return Took(seconds, said["seconds"], memory)


def inspect_python() -> Path | None:
    """The Python that has inspect_ai, or None, said in a line."""
    try:
        return environment_of(REQUIREMENTS)
    except NotInstalled as wrong:
        say(f"inspect_ai is left out: {' '.join(str(wrong).split())[:300]}")
        return None


@dataclass(slots=True)
class Found:
    """Of each round; `few` is the import of a hundred logs into a server of its own."""

    few: Took
    imports: list[Took]
    tables: list[Took]


def measure(where: Place, env: dict[str, str], folder: Path, asked: argparse.Namespace) -> Found:
    """One import of few logs, then rounds of both in turn, on fresh logs each; raises WrongAnswer and NotServing."""
    run("manage.py", "migrate", "--verbosity", "0", env=env)
    token, python = run("-m", "bench.importing.prepare", env=env).strip(), inspect_python()
    few, many = max(1, min(FEW, asked.logs // 10)), asked.logs
    make_logs(folder / "few", few)
    found = Found(imported(where, env, token, folder / "few"), [], [])
    for number in range(asked.rounds):
        logs = folder / f"round-{number}"
        make_logs(logs, many)
        ways = [lambda: found.imports.append(imported(where, env, token, logs))]  # noqa: B023 - called in this turn
        if python is not None:
            ways.append(lambda: found.tables.append(tabled(python, env, logs)))  # noqa: B023
        for way in ways if number % 2 == 0 else reversed(ways):
            way()
        say(f"Round {number + 1} of {asked.rounds}: done.")
        shutil.rmtree(logs)
    kept, expected = json.loads(run("-m", "bench.importing.rows", env=env)), few + many * asked.rounds
    if kept != {"runs": expected, "ids": expected, "assessments": expected, "broken": None}:
        raise WrongAnswer(f"{expected} logs were imported, but the database holds {kept}.")
    return found


def table(found: Found, where: Place, asked: argparse.Namespace) -> str:
    """Seconds, ratio and memory, for people."""
    size = f"granian WSGI, {where.workers} x {where.threads} threads"
    lines = [
        f"{asked.logs:,} Inspect logs of 4 to 6 samples, 50 checkpoints; fsf import into the product on {where.name} ({size}): stored,",
        "judged, audited; beside inspect_ai.analysis.evals_df of the same logs. A server just started for each import.",
        "",
        f"{'':44}{'seconds, round by round':>26}{'median':>9}{'logs/s':>9}{'peak MB':>9}",
        _row("fsf import, the whole command", [each.seconds for each in found.imports], found.imports[-1].client, asked.logs),
    ]
    if found.tables:
        lines += [
            _row("inspect_ai's table, the whole process", [each.seconds for each in found.tables], found.tables[-1].client, asked.logs),
            _row("inspect_ai's table, evals_df() alone", [each.work for each in found.tables], found.tables[-1].client, asked.logs),
            "",
            *_ratios(found),
        ]
    return "\n".join([*lines, *_memory(found, asked.logs)])


def _row(name: str, seconds: list[float], memory: float, logs: int) -> str:
    middle = median(seconds)
    return f"{name:44}{' '.join(f'{each:8.2f}' for each in seconds):>26}{middle:>9.2f}{logs / middle:>9,.0f}{memory:>9.0f}"


def _ratios(found: Found) -> list[str]:
    pairs = list(zip(found.imports, found.tables, strict=True))
    whole = median(theirs.seconds / ours.seconds for ours, theirs in pairs)
    alone = median(theirs.work / ours.seconds for ours, theirs in pairs)
    verdict = "kept" if whole >= TIMES_FASTER else "NOT KEPT"
    return [
        f"inspect_ai / fsf import: {whole:.2f}, whole process beside whole command; at least {TIMES_FASTER:g}: {verdict}",
        f"inspect_ai / fsf import: {alone:.2f}, evals_df() alone beside the whole command",
    ]


def _memory(found: Found, logs: int) -> list[str]:
    last, lines = found.imports[-1], []
    for name, few, many in (("client", found.few.client, last.client), ("server", found.few.server, last.server)):
        verdict = "flat" if many <= FLAT * few else "NOT FLAT"
        lines.append(f"peak memory of the {name}: {few:.0f} MB for {min(FEW, logs // 10):,} logs, {many:.0f} MB for {logs:,}: {verdict}")
    return lines


def main() -> None:
    """Measure and print; whatever was started is stopped, also where this is interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("It took longer than two minutes; nothing was measured."))
    asked = options()
    with tempfile.TemporaryDirectory(prefix="fsf-import-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            with place(folder) as where:
                found = measure(where, environment(where, folder), folder, asked)
        except (NotServing, WrongAnswer) as wrong:
            sys.exit(f"Nothing was measured. {wrong}")
        print(f"\n{table(found, where, asked)}")


if __name__ == "__main__":
    main()
