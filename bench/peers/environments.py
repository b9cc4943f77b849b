"""Environments for programs that are measured beside the product: made once below var/bench, outside the project's lock."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from bench.servers import ROOT

WORK = ROOT / "var" / "bench"  # what is expensive to make and may be kept between measurements
INSTALL_SECONDS = 150


class NotInstalled(Exception):
    """The packages could not be installed; the text says why in a line."""


def environment_of(requirements: Path) -> Path:
    """The Python of an environment with these requirements, made now where it is not there yet; raises NotInstalled."""
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    place = WORK / f"{requirements.stem}-{digest}"
    python = place / "bin" / "python"
    if not (place / "whole").exists():
        WORK.mkdir(parents=True, exist_ok=True)
        _uv("venv", "--clear", "--python", sys.executable, str(place))
        try:
            _uv("pip", "install", "--python", str(python), "--requirement", str(requirements))
        except NotInstalled:
            shutil.rmtree(place, ignore_errors=True)
            raise
        (place / "whole").touch()
    return python


def _uv(*words: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    try:
        done = subprocess.run([str(uv), "--quiet", *words], capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as wrong:
        raise NotInstalled(str(wrong)) from wrong
    if done.returncode:
        raise NotInstalled(" ".join(done.stderr.split())[:300] or f"uv ended with {done.returncode}")
