"""A thread that speaks to the server, so that an evaluation never waits for it; results are on disk before the thread hears of them."""

import contextlib
import logging
import math
import os
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any

from fsf_client.answers import Refused
from fsf_client.client import Client, Run
from fsf_client.outbox import OutboxFull

BEAT = 30.0  # seconds between heartbeats, unless FSF_HEARTBEAT says otherwise
LEAST_BEAT, MOST_BEAT = 5, 86_400  # seconds that the server takes for an interval
MOST_WAITING = 1000  # starts, and results that found no room on disk
PATIENCE = 3.0  # seconds for one post; what is not delivered by then waits in the outbox
logger = logging.getLogger(__name__)


def heartbeat_seconds(env: Mapping[str, str] = os.environ) -> float:
    """Seconds between heartbeats; a setting that is no number, under a second or over a day, is none."""
    try:
        seconds = float(env.get("FSF_HEARTBEAT", "") or BEAT)
    except ValueError:
        return BEAT
    return seconds if 1 <= seconds <= MOST_BEAT else BEAT


class Reporter:
    """Takes starts, progress and results of runs without waiting, and delivers them in the background."""

    def __init__(self, client: Client | None = None) -> None:
        self.client = client or Client(patience=PATIENCE)
        self._work: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue(MOST_WAITING)
        self._progress: dict[str, dict[str, int]] = {}
        self._runs: dict[str, Run] = {}
        self._wake, self._quiet = threading.Event(), threading.Event()
        self._every = heartbeat_seconds()
        self._beaten = time.monotonic()
        threading.Thread(target=self._serve, name="fsf", daemon=True).start()

    def start(self, body: dict[str, Any]) -> None:
        """A run has begun; how often it will be heard of is told with it, so that its silence is noticed."""
        body = {**body, "heartbeat_seconds": max(LEAST_BEAT, math.ceil(self._every))}
        self._progress[body["external_id"]] = {}
        self._put("start", body)

    def progress(self, external_id: str, **counts: int) -> None:
        """How far a run is; told with the next heartbeat."""
        if external_id in self._progress:
            self._progress[external_id] = counts

    def finish(self, body: dict[str, Any]) -> None:
        """A run has ended; written to disk before this returns. Where the disk is full it is sent from memory."""
        self._progress.pop(body["external_id"], None)
        try:
            self.client.outbox.put(self.client.url, body).later()
        except (OutboxFull, OSError) as full:
            logger.warning("fsf: %s", full)
            self._put("finish", body)
        self._ring()

    def flush(self, seconds: float) -> bool:
        """Wait until everything was tried once; whether it was. What was not delivered is in the outbox."""
        self._ring()
        return self._quiet.wait(seconds)

    def _put(self, kind: str, body: dict[str, Any]) -> None:
        try:
            self._work.put_nowait((kind, body))
        except queue.Full:
            logger.warning("fsf: more waits than can be held; the %s of %s is not told.", kind, body.get("external_id"))
        self._ring()

    def _ring(self) -> None:
        self._quiet.clear()
        self._wake.set()

    def _serve(self) -> None:
        while True:
            self._wake.wait(max(0.0, self._beaten + self._every - time.monotonic()))
            self._wake.clear()
            try:
                self._deliver()
            except Exception:
                logger.warning("fsf: posting failed; what was finished is in the outbox.", exc_info=True)
            if not self._wake.is_set():
                self._quiet.set()

    def _deliver(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                kind, body = self._work.get_nowait()
                self._post(kind, body)
        sent = self.client.send_outbox()
        if sent.refused:
            logger.warning(
                "fsf: the server refused %s; `fsf outbox list` says why.", "a run" if sent.refused == 1 else f"{sent.refused} runs"
            )
        if time.monotonic() - self._beaten >= self._every:
            self._beat()

    def _post(self, kind: str, body: dict[str, Any]) -> None:
        try:
            if kind == "finish":
                self.client.finish_run(body)
                return
            run = self.client.start_run(body)
        except Refused as wrong:
            logger.warning("fsf: the %s of %s was refused: %s", kind, body["external_id"], wrong)
            return
        if body["external_id"] in self._progress:
            self._runs[body["external_id"]] = run

    def _beat(self) -> None:
        self._beaten = time.monotonic()
        for external_id in [name for name in self._runs if name not in self._progress]:
            del self._runs[external_id]
        for external_id, run in list(self._runs.items()):
            known = self._runs[external_id] = self._known(run)
            self.client.heartbeat(known, **self._progress.get(external_id, {}))

    def _known(self, run: Run) -> Run:
        """The run with its number: a start that had to wait is delivered without one, so it is asked for by the same post again."""
        if run.receipt.delivered or self.client.waits(run.body):
            return run
        with contextlib.suppress(Refused):
            return self.client.start_run(run.body)
        return run
