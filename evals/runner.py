"""Scheduled evaluations: a due schedule becomes a job, the job a process, the process a run; each step is short and a row tells of it.

    due slot --claim_due--> claimed --launch--> launched --poll--> (ended) --collect--> collected | failed

`next_step` is both the time of the next look and the lease: who moves it ahead by a conditional update does the step, and
where that worker dies another one does it again LEASE later. Every step may be done twice without harm. A job belongs to
the machine that launched it, for only there can its process be seen. Whatever happens to a job, a run is recorded, so that
a missing evaluation is seen and never read as a clear one.
"""

import datetime as dt
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.roles import SYSTEM, Refused
from audit import log
from evals import launcher
from evals.authors import NotTheAuthor
from evals.ingest import record_run
from evals.models import EvalJob, EvalRun, EvalSchedule
from evals.schedules import Ending, OtherSubject, Request, compose_body, external_id, fill_command, next_slot
from evals.submissions import InvalidSubmission, parse

OPEN = ("claimed", "launched")
LEASE = dt.timedelta(seconds=60)
LOOK_EVERY = dt.timedelta(seconds=1)  # less than a tick apart, so that every tick looks
STOP_GRACE = dt.timedelta(seconds=15)
LAST_RESORT = dt.timedelta(seconds=60)
ABANDONED = dt.timedelta(minutes=10)
KEPT_FOLDERS = 20


def claim_due(*, now: dt.datetime, limit: int) -> list[int]:
    """Make a job of every due slot while fewer than `limit` jobs are open; the ids of the new jobs.

    A schedule whose job is still open waits for it. Two tickers at once, or one twice, make one job for a slot.
    """
    is_open = EvalJob.objects.filter(state__in=OPEN)
    room = max(0, limit - is_open.count())
    due = EvalSchedule.objects.filter(
        ~Exists(is_open.filter(schedule=OuterRef("pk"))), active=True, every_minutes__gte=1, due__lte=now
    ).order_by("due", "pk")[:room]
    return [job_id for schedule in due if (job_id := _claim(schedule, now)) is not None]


@transaction.atomic
def _claim(schedule: EvalSchedule, now: dt.datetime) -> int | None:
    slot = next_slot(schedule.due, schedule.every_minutes, now)
    seen = EvalSchedule.objects.filter(pk=schedule.pk, due=schedule.due, active=True)
    if not seen.update(due=slot.next_due):
        return None
    job, created = EvalJob.objects.get_or_create(schedule=schedule, slot=slot.answered, defaults={"claimed": now, "next_step": now})
    return job.pk if created else None


def ready_jobs(*, now: dt.datetime, limit: int) -> list[int]:
    """Ids of open jobs whose next step is due here, longest waiting first; those of another machine once it is silent too long."""
    silent = now - ABANDONED
    ours = Q(folder="") | Q(folder__startswith=_place())
    orphaned = Q(deadline__lte=silent) | Q(deadline=None, next_step__lte=silent)
    found = EvalJob.objects.filter(ours | orphaned, state__in=OPEN, next_step__lte=now)
    return list(found.order_by("next_step", "pk").values_list("pk", flat=True)[:limit])


def advance(*, job_id: int, now: dt.datetime) -> None:
    """Do the one step that a job is ready for: launch, poll, collect, or give it up where its machine is gone."""
    job = EvalJob.objects.get(pk=job_id)
    if job.folder and not job.folder.startswith(_place()):
        abandon(job_id=job_id, now=now)
    elif job.state == "claimed":
        launch(job_id=job_id, now=now)
    elif job.ended is None:
        poll(job_id=job_id, now=now)
    else:
        collect(job_id=job_id, now=now)


def launch(*, job_id: int, now: dt.datetime) -> bool:
    """Start a claimed job's program in a folder of its own and return at once; False where another worker has the job."""
    folder = Path(_place(), str(job_id))
    job = _lease(job_id, now, Q(state="claimed", folder__in=["", str(folder)]), folder=str(folder))
    if job is None:
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        program = _program(job)
        if launcher.read_exit(folder) is None:
            launcher.spawn(folder, job.schedule.timeout_seconds + LAST_RESORT.total_seconds(), program, _environment(folder))
    except launcher.AlreadyRunning:
        pass  # a worker started it and died before it could say so: the job is taken over as it is
    except (OSError, ValueError, subprocess.SubprocessError) as wrong:
        _conclude(job, Ending("error", f"could not be launched: {wrong}"), now)
        return False
    _mark_launched(job, program, now)
    return True


@transaction.atomic
def _mark_launched(job: EvalJob, program: list[str], now: dt.datetime) -> None:
    EvalJob.objects.filter(pk=job.pk, state="claimed").update(
        state="launched",
        pid=launcher.read_pid(Path(job.folder)),
        launched=now,
        deadline=now + dt.timedelta(seconds=job.schedule.timeout_seconds),
        next_step=now + LOOK_EVERY,
    )
    data = {"schedule": job.schedule.name, "slot": job.slot.isoformat(), "program": program}
    log.record(action="evals.job.launch", about=f"job:{job.pk}", actor=SYSTEM, now=now, data=data)


def poll(*, job_id: int, now: dt.datetime) -> bool:
    """Look once after a launched job: ended, running, due to be stopped, or gone; True where it is ready to be collected."""
    job = _lease(job_id, now, Q(state="launched", ended=None, folder__startswith=_place()))
    if job is None:
        return False
    folder = Path(job.folder)
    running = launcher.is_running(folder)  # before the exit is read: it is written before the lock falls
    ended = launcher.read_exit(folder)
    if ended is None and running:
        _keep_time(job, now)
        return False
    if ended is None and job.pid is not None:
        launcher.stop(folder, job.pid, signal.SIGKILL)
    _update(job, ended=ended.ended if ended else now, next_step=now)
    return True


def _keep_time(job: EvalJob, now: dt.datetime) -> None:
    """Past its deadline a running job is interrupted once, so that it may leave what it has, and killed after a grace."""
    if job.deadline is None or now < job.deadline or job.pid is None:
        _update(job, next_step=now + LOOK_EVERY)
    elif not job.error:
        _update(job, next_step=now + LOOK_EVERY, error=f"stopped at its deadline, {job.schedule.timeout_seconds} s after its launch")
        launcher.stop(Path(job.folder), job.pid, signal.SIGINT)
    else:
        _update(job, next_step=now + LOOK_EVERY)
        if now >= job.deadline + STOP_GRACE:
            launcher.stop(Path(job.folder), job.pid, signal.SIGKILL)


def collect(*, job_id: int, now: dt.datetime) -> bool:
    """Record the run of an ended job, from the result its program left or as the failure it was; False where another worker does."""
    job = _lease(job_id, now, Q(state="launched", ended__isnull=False))
    if job is None:
        return False
    _conclude(job, _ending(job, launcher.read_exit(Path(job.folder))), now)
    return True


def abandon(*, job_id: int, now: dt.datetime) -> None:
    """Close a job whose machine no longer looks after it: as lost, unless it left word on a disk that both machines see."""
    job = _lease(job_id, now, Q(state__in=OPEN))
    if job is None:
        return
    machine = Path(job.folder).parent.name
    ended = launcher.read_exit(Path(job.folder))
    lost = Ending("lost", f"lost: nothing was heard of it from {machine}, the machine that launched it")
    _conclude(job, _ending(job, ended) if ended else lost, now)


def stop_running(*, number: int, reason: str) -> int:
    """Send a signal (0 for none) to every job that runs on this machine, keeping the reason; how many there were."""
    here = EvalJob.objects.filter(state="launched", ended=None, pid__isnull=False, folder__startswith=_place())
    running = [job for job in here if launcher.is_running(Path(job.folder))]
    for job in running:
        _update(job, error=job.error or reason)
        launcher.stop(Path(job.folder), job.pid or 0, number)
    return len(running)


def _place() -> str:
    """Where this machine keeps its jobs; process numbers mean nothing on another one, even where it shares the disk."""
    return str(Path(settings.VAR_DIR, "jobs", socket.gethostname())) + os.sep


def _lease(job_id: int, now: dt.datetime, expected: Q, **values: Any) -> EvalJob | None:
    """The job, ours alone until the lease ends; None where it is not as expected or another worker took it."""
    if not EvalJob.objects.filter(expected, pk=job_id, next_step__lte=now).update(next_step=now + LEASE, **values):
        return None
    return EvalJob.objects.select_related("schedule__checkpoint", "schedule__evaluation").get(pk=job_id)


def _update(job: EvalJob, **values: Any) -> None:
    EvalJob.objects.filter(pk=job.pk, state="launched").update(**values)


def _program(job: EvalJob) -> list[str]:
    values = {
        "python": sys.executable,
        "base": str(settings.BASE_DIR),
        "checkpoint": job.schedule.checkpoint.slug,
        "evaluation": job.schedule.evaluation.key,
        "out": str(Path(job.folder, "result.json")),
    }
    return fill_command(job.schedule.command, values)


def _environment(folder: Path) -> dict[str, str]:
    """All that a program gets to see: where programs lie and its language; no secret of the product's is among it."""
    passed = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**passed, "HOME": str(folder), "TMPDIR": str(folder)}


def _ending(job: EvalJob, ended: launcher.Exit | None) -> Ending:
    if job.error:
        return Ending("cancelled", job.error)
    if ended is None:
        return Ending("lost", "lost: the process was gone and had not said how it ended")
    if ended.signal is not None:
        return Ending("error", ended.error or f"stopped by signal {ended.signal}")
    if ended.exit_code != 0:
        return Ending("error", ended.error or f"ended with exit code {ended.exit_code}")
    return Ending("success")


def _conclude(job: EvalJob, ending: Ending, now: dt.datetime) -> None:
    """Record the run and close the job in one transaction."""
    folder, job.ended = Path(job.folder), job.ended or now
    content: Mapping[str, Any] = {}
    try:
        content = launcher.read_result(folder)
    except launcher.NoResult as nothing:
        ending = ending if ending.reason else Ending("error", str(nothing))
    with transaction.atomic():
        run, ending = _record(job, ending, content, now)
        EvalJob.objects.filter(pk=job.pk, state__in=OPEN).update(
            state="collected" if ending.status == "success" else "failed",
            ended=job.ended,
            next_step=None,
            run=run,
            error="" if ending.status == "success" else f"{ending.reason}\n{launcher.read_last_words(folder)}".strip(),
        )
    _forget_old_folders(job)


def _record(job: EvalJob, ending: Ending, content: Mapping[str, Any], now: dt.datetime) -> tuple[EvalRun | None, Ending]:
    """Ingest what the program left; where it cannot be stored, the bare fact that there is no result."""
    request = _request(job)
    for said in (content, {}):
        try:
            run = _stored(compose_body(request, said, ending), now)
        except (InvalidSubmission, OtherSubject) as wrong:
            ending = ending if ending.reason else Ending("error", f"the result was refused: {wrong}")
        except Refused as wrong:
            return None, Ending("error", str(wrong))
        else:
            return run, ending if run.status == ending.status else Ending(run.status, f"the program reports the status {run.status}")
    return None, ending


def _stored(body: dict[str, Any], now: dt.datetime) -> EvalRun:
    """The run of a job; where another account had posted a start under its identity, it corrects that on record."""
    try:
        return record_run(submission=parse(body), actor=SYSTEM, now=now).run
    except NotTheAuthor as other:
        return record_run(submission=parse({**body, "supersedes": other.newest.pk}), actor=SYSTEM, now=now).run


def _request(job: EvalJob) -> Request:
    schedule, ended = job.schedule, launcher.read_exit(Path(job.folder))
    completed = job.ended or job.claimed
    started = ended.started if ended else min(job.launched or completed, completed)
    return Request(
        external_id=external_id(schedule.pk, job.slot),
        checkpoint=schedule.checkpoint.slug,
        evaluation=schedule.evaluation.key,
        started=started.isoformat(),
        completed=completed.isoformat(),
        provenance={"schedule": schedule.name, "slot": job.slot.isoformat()},
    )


def _forget_old_folders(job: EvalJob) -> None:
    """Keep the newest folders of a schedule for those who look for the reason of a failure; the rows stay for ever."""
    closed = EvalJob.objects.filter(schedule=job.schedule_id, folder__startswith=_place()).exclude(state__in=OPEN)
    for folder in closed.order_by("-slot").values_list("folder", flat=True)[KEPT_FOLDERS : KEPT_FOLDERS + 5]:
        shutil.rmtree(folder, ignore_errors=True)
