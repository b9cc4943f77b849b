"""What `make demo` needs beside the product's own processes: people, a token, a schedule, and an HTTP client like a pipeline's."""

import datetime as dt
import http.cookiejar
import json
import os
import re
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts import tokens
from accounts.models import ServiceAccount, User
from accounts.roles import SYSTEM, Role
from crises.messages import number
from evals.catalogue import register_checkpoint, register_model
from evals.models import EvalJob, EvalSchedule, Evaluation
from fsf.replay import Posted

KEPT = "demo.json"
PEOPLE = (
    ("ada", "Ada", "Lindqvist", Role.SAFETY_LEAD, True),
    ("ben", "Ben", "Okafor", Role.EVAL_ENGINEER, False),
    ("cleo", "Cleo", "Marchetti", Role.AUDITOR, False),
    ("dan", "Dan", "Park", Role.MEMBER, False),
)
SCHEDULE = "Toy puzzles, daily"


class StepFailed(Exception):
    """A step of the demonstration did not do what it says; the text names what was expected and what was found."""


def expect(holds: object, what: str) -> None:
    """Raise StepFailed unless it holds."""
    if not holds:
        raise StepFailed(what)


def kept() -> dict[str, str]:
    """The password and the token of the demonstration, kept beside its database for its owner only."""
    path = Path(settings.VAR_DIR, KEPT)
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _keep(**values: str) -> None:
    path = Path(settings.VAR_DIR, KEPT)
    content = json.dumps({**kept(), **values})
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(content)


def make_people() -> str:
    """Ada, Ben, Cleo and Dan with their roles; returns the password they share in the demonstration."""
    password = kept().get("password") or "-".join(secrets.token_hex(3) for _ in range(3))
    _keep(password=password)
    for username, first, last, role, alerted in PEOPLE:
        user, made = User.objects.get_or_create(
            username=username,
            defaults={"email": f"{username}@example.org", "first_name": first, "last_name": last, "role": role, "alerted": alerted},
        )
        if made or not user.check_password(password):
            user.set_password(password)
            user.save()
    return password


def make_token(now: dt.datetime) -> str:
    """A token of the demonstration's service account: the kept one while it lives and has every scope, or a new one."""
    text = kept().get("token", "")
    if not _serves(text, now):
        account, _ = ServiceAccount.objects.get_or_create(name="demo-pipeline", defaults={"created": now})
        _, text = tokens.issue(account=account, scopes=tokens.SCOPES, now=now, purpose=f"demonstration of {now:%Y-%m-%d %H:%M:%S}")
        _keep(token=text)
    return text


def _serves(text: str, now: dt.datetime) -> bool:
    try:
        return set(tokens.verify(text=text, now=now).scopes) == set(tokens.SCOPES)
    except tokens.InvalidToken:
        return False


def make_schedule(now: dt.datetime) -> EvalSchedule:
    """The toy evaluation of a toy solver, due now the first time and once a day after it."""
    model = register_model(slug="toy-rule-solver", name="Toy rule solver", developer="Example Lab", actor=SYSTEM, now=now)
    checkpoint = register_checkpoint(
        model=model, fields={"slug": "toy-rule-solver-1", "name": "Toy rule solver (not a language model)"}, actor=SYSTEM, now=now
    )
    schedule, _ = EvalSchedule.objects.get_or_create(
        name=SCHEDULE,
        defaults={
            "evaluation": Evaluation.objects.get(slug="toy-puzzles", version="1"),
            "checkpoint": checkpoint,
            "command": ["{python}", "{base}/examples/toy_evaluation.py", "--out", "{out}", "--slow", "0.05"],
            "every_minutes": 1440,
            "timeout_seconds": 300,
            "due": now,
        },
    )
    return schedule


def wait_for(what: str, holds: Callable[[], object], seconds: float, alive: Callable[[], None]) -> Any:
    """Return what `holds` gives once it is true; raises StepFailed after the time, or what `alive` raises where a process ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        alive()
        if found := holds():
            return found
        time.sleep(0.2)
    raise StepFailed(f"{what} did not happen within {seconds:g} s")


def last_job(schedule: EvalSchedule) -> EvalJob | None:
    """The newest job of a schedule that has ended and whose run was judged and answered."""
    done = EvalJob.objects.filter(schedule=schedule, state__in=["collected", "failed"], run__receipt__isnull=False)
    return done.select_related("run__receipt", "run__evaluation").order_by("-slot").first()


class Pipeline:
    """Talks to the API over HTTP with a bearer token, as a pipeline does."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    def send(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """POST a JSON body; the status and the answer, also where it is an error."""
        return self._ask(path, json.dumps(body).encode())

    def get(self, path: str) -> dict[str, Any]:
        """GET a JSON answer."""
        return self._ask(path, None)[1]

    def _ask(self, path: str, data: bytes | None) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data, headers)  # noqa: S310 - our own server on loopback
        try:
            with _opener().open(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)


def _opener(*more: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), *more)


class Browser:
    """Signs in and reads pages, as a person's browser does, without scripts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opener = _opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def sign_in(self, username: str, password: str) -> str:
        """Sign in and return the page that follows."""
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.read("/sign-in/"))
        expect(found, "the sign-in page holds a form")
        token = found.group(1) if found else ""
        fields = urllib.parse.urlencode({"username": username, "password": password, "csrfmiddlewaretoken": token}).encode()
        return self.read("/sign-in/", fields)

    def read(self, path: str, data: bytes | None = None) -> str:
        """The text of a page; raises StepFailed for anything but 200."""
        try:
            with self.opener.open(f"{self.url}{path}", data, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refused:
            raise StepFailed(f"{path} answered {refused.code}") from refused


def changes(posted: Posted, names: dict[str, str]) -> Iterator[str]:
    """One line for each level whose state the post changed: date, model, level, before -> after, the numbers, crisis, mails.

    Only what binds: what other developers' frameworks would say of the model is on its page.
    """
    binding = [verdict for verdict in posted.reply["verdicts"] if verdict["binding"]]
    moved = {verdict["level"]: verdict for verdict in sorted(binding, key=lambda each: each["reached"])}
    for verdict in moved.values():
        if verdict["state"] != verdict["state_before"]:
            change = f"{words(verdict['state_before'])} -> {words(verdict['state']).upper()}"
            who = f"{posted.run['completed']}  {names[posted.run['checkpoint']]:<26.26} {verdict['level_name']:<27.27}"
            yield f"  {who} {change:<26} {numbers(verdict)}{_caused(posted.reply)}{_waiting(verdict)}"


def _waiting(verdict: dict[str, Any]) -> str:
    """Why a level is not clear although this line was ruled out: other evaluations have not been read."""
    count = len(verdict["missing"])
    return f"  {count} more evaluation{'' if count == 1 else 's'} needed" if verdict["state"] == "inconclusive" and count else ""


def _caused(reply: dict[str, Any]) -> str:
    """The crises that a post opened or joined and the mails it queued, or nothing."""
    crises = ", ".join(f"{each['ref']} {'opened' if each['opened'] else 'joined'}" for each in reply["crises"])
    queued = reply["alerts_queued"]
    return f"  {crises}, {queued} mail{'' if queued == 1 else 's'}" if crises else ""


def words(state: str) -> str:
    """A state as people read it."""
    return state.replace("_", " ")


def numbers(verdict: dict[str, Any]) -> str:
    """The point with its one-sided bounds, and the line it was held against."""
    point, lower, upper = (verdict[key] for key in ("point", "lower", "upper"))
    span = f" [{lower:.3g}, {upper:.3g}]" if lower is not None and upper is not None and lower != upper else ""
    line = "illustrative line" if verdict["illustrative"] else "line"
    return f"{number(point)}{span} against {verdict['comparator']} {verdict['value']:g} ({line})"


def minutes_ago(moment: dt.datetime) -> int:
    """Whole minutes since a moment."""
    return int((timezone.now() - moment).total_seconds() // 60)
