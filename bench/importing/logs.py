"""Many small Inspect logs: copies of logs that the real inspect_ai wrote, each an evaluation of its own."""

import json
import secrets
import sys
from pathlib import Path

from bench.servers import ROOT

if sys.version_info >= (3, 14):
    import zipfile
else:
    from backports.zstd import zipfile

FIXTURES = ROOT / "tests" / "fixtures" / "inspect"
COPIED = ("limited.eval", "credentials.eval", "edited.eval", "tolerated.eval")  # 4 to 6 samples, finished, 11 to 18 kB
ZSTANDARD = 93
NAMES = ("eval_id", "run_id", "task_id")
MODELS = [f"fixture/c{number:02d}" for number in range(50)]  # that the logs say were evaluated, in turn


def make_logs(folder: Path, count: int) -> list[str]:
    """Write `count` logs into a new folder, and return their eval ids."""
    folder.mkdir(parents=True)
    members = [_members(FIXTURES / name) for name in COPIED]
    return [
        _copy(members[number % len(members)], folder / f"log-{number:05d}.eval", MODELS[number % len(MODELS)]) for number in range(count)
    ]


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _copy(members: dict[str, bytes], path: Path, model: str) -> str:
    """The same log of another model under new ids: wherever the old ones stand, the new ones stand."""
    written = json.loads(members["header.json"])["eval"]
    new = {written[name]: _fresh(len(written[name])) for name in NAMES} | {written["model"]: model}
    with zipfile.ZipFile(path, "w", compression=ZSTANDARD) as archive:
        for name, content in members.items():
            archive.writestr(name, _renamed(content, new))
    return new[written["eval_id"]]


def _renamed(content: bytes, new: dict[str, str]) -> bytes:
    for old, fresh in new.items():
        content = content.replace(old.encode(), fresh.encode())
    return content


def _fresh(length: int) -> str:
    return secrets.token_hex(length)[:length]
