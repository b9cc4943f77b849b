"""The Inspect hook: posts each task as it starts and ends. It never breaks, and hardly slows, an evaluation.

Inspect tells of a task's end only where it ends well; of an error it tells when the whole run ends, of an interruption with empty hands.
So what was started and not ended is settled at the end of its run. Of a process that is killed nobody tells: its heartbeats stop, and
`fsf push LOGDIR` posts what its log still holds.
"""

import asyncio
import atexit
import functools
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from inspect_ai.hooks import Hooks

from fsf_client.inspect.covering import planned
from fsf_client.inspect.mapping import Known, finished, started
from fsf_client.inspect.reporter import Reporter
from fsf_client.inspect.solving import Line
from fsf_client.transport import NotConfigured, checked_url

LAST_WAIT = 6.0  # seconds at the end of the process for what is still on its way
logger = logging.getLogger(__name__)
Handler = Callable[[Any, Any], Awaitable[None]]


def _never_breaking(handler: Handler) -> Handler:
    @functools.wraps(handler)
    async def safe(hook: Any, data: Any) -> None:
        try:
            await handler(hook, data)
        except Exception:
            logger.warning("fsf: %s failed; the evaluation goes on.", handler.__name__, exc_info=True)

    return safe


@dataclass(slots=True)
class Task:
    """A task that runs: what it is, and what its samples gave so far."""

    run_id: str
    spec: Mapping[str, Any]
    plan: Mapping[str, Any]
    body: dict[str, Any]
    lines: dict[tuple[str, int], Line] = field(default_factory=dict)
    tokens: int = 0
    ended: bool = False


class FsfHook(Hooks):
    """One for the process; on where FSF_URL and FSF_TOKEN are set."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._reporter: Reporter | None = None
        self._told = False

    def enabled(self) -> bool:
        """Asked before each event; a setting that cannot be used is told once."""
        url = os.environ.get("FSF_URL")
        if not url:
            return False
        try:
            checked_url(url)
            if os.environ.get("FSF_TOKEN"):
                return True
            reason = "FSF_URL is set and FSF_TOKEN is not; nothing is posted."
        except NotConfigured as wrong:
            reason = str(wrong)
        if not self._told:
            logger.warning("fsf: %s", reason)
        self._told = True
        return False

    @_never_breaking
    async def on_task_start(self, data: Any) -> None:
        """Say that it has begun."""
        spec, plan = _plain(data.spec), _plain(data.plan)
        body = started(spec, Known.of())
        self._tasks[data.eval_id] = Task(data.run_id, spec, plan, body)
        self._speak().start(body)

    @_never_breaking
    async def on_sample_end(self, data: Any) -> None:
        """Keep its scores, without any text."""
        task = self._tasks.get(data.eval_id)
        if task is not None:
            line = _line(data.sample)
            task.lines[line.id, line.epoch] = line
            self._tell(task)

    @_never_breaking
    async def on_model_usage(self, data: Any) -> None:
        """Count tokens, for the heartbeat."""
        task = self._tasks.get(data.eval_id or "")
        if task is not None:
            task.tokens += data.usage.total_tokens or 0
            self._tell(task)

    @_never_breaking
    async def on_task_end(self, data: Any) -> None:
        """Post the result."""
        task = self._tasks.get(data.eval_id)
        if task is not None:
            self._end(task, _header(data.log))

    @_never_breaking
    async def on_run_end(self, data: Any) -> None:
        """Settle what was started and not ended: by its log where there is one, otherwise as cancelled or failed."""
        logs = {log.eval.eval_id: _header(log) for log in data.logs or ()}
        for eval_id, task in self._tasks.items():
            if task.run_id == data.run_id and not task.ended:
                self._end(task, logs.get(eval_id) or _cut_off(task, data.exception))
        self._tasks = {eval_id: task for eval_id, task in self._tasks.items() if not task.ended}

    def _end(self, task: Task, header: Mapping[str, Any]) -> None:
        task.ended = True
        self._speak().finish(finished(header, list(task.lines.values()), Known.of()))

    def _tell(self, task: Task) -> None:
        counts = {"planned": planned(task.spec) or 0, "completed": len(task.lines), "tokens": task.tokens}
        self._speak().progress(task.body["external_id"], **counts)

    def _speak(self) -> Reporter:
        if self._reporter is None:
            self._reporter = Reporter()
            atexit.register(self._reporter.flush, LAST_WAIT)
        return self._reporter


def _plain(part: Any) -> dict[str, Any]:
    content: dict[str, Any] = part.model_dump(mode="json", exclude_none=True)
    return content


def _header(log: Any) -> dict[str, Any]:
    content: dict[str, Any] = log.model_dump(mode="json", exclude_none=True, exclude={"samples", "reductions", "error"})
    return content


def _cut_off(task: Task, exception: BaseException | None) -> dict[str, Any]:
    failed = isinstance(exception, Exception) and not isinstance(exception, asyncio.CancelledError)
    return {"status": "error" if failed else "cancelled", "eval": task.spec, "plan": task.plan}


def _line(sample: Any) -> Line:
    scores = {name: _value(score.value) for name, score in (sample.scores or {}).items()}
    facts = {name: fact for name, fact in (sample.metadata or {}).items() if isinstance(fact, str | int) and len(str(fact)) <= 100}
    return Line(str(sample.id), sample.epoch, scores, sample.error is not None, sample.limit is not None, facts)


def _value(value: Any) -> Any:
    """A score's value without texts that are none of its words."""
    if isinstance(value, Mapping):
        return {name: _value(part) for name, part in value.items()}
    return value[:8] if isinstance(value, str) else value if isinstance(value, bool | int | float) else "?"
