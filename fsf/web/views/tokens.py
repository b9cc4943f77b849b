"""API tokens: which there are, making one that is shown once, replacing it, ending it."""

import datetime as dt
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import ApiToken, User
from accounts.roles import Actor, Refused, Role
from accounts.tokens import live
from audit.access import make_account, make_token, revoke_token, rotate_token
from fsf.web.acting import may
from fsf.web.token_forms import RevokeForm, TokenForm

SOON = dt.timedelta(days=14)
ENDED_SHOWN = 50
MADE_KEPT = 50  # of the requests of one session that made a token


@dataclass(frozen=True, slots=True)
class Shown:
    """A token with what its reader may do to it."""

    row: ApiToken
    ends_soon: bool
    form: RevokeForm | None
    may_rotate: bool
    once: str


@dataclass(frozen=True, slots=True)
class Group:
    """Tokens of one kind of owner."""

    name: str
    empty: str
    shown: list[Shown]


def _reader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - the sign-in middleware let nobody else through
    return request.user


def _visible(request: HttpRequest) -> QuerySet[ApiToken]:
    """One's own; a service account's too for whoever manages those; all of them for a safety lead and an auditor."""
    rows = ApiToken.objects.select_related("account", "person", "parent")
    person = _reader(request)
    if Role(person.role) in {Role.SAFETY_LEAD, Role.AUDITOR}:
        return rows
    own = rows.filter(person=person)
    return own | rows.filter(account__isnull=False) if may(request, "accounts.tokens") else own


def _shown(request: HttpRequest, row: ApiToken, now: dt.datetime, once: str) -> Shown:
    own, service = row.person_id == _reader(request).pk, row.account_id is not None
    manages = own or (service and may(request, "accounts.tokens"))
    form = RevokeForm(auto_id=f"revoke-{row.key}-%s") if manages or may(request, "accounts.revoke") else None
    return Shown(row, row.expires - now < SOON, form, manages, f"{once}-{row.key}")


def _groups(request: HttpRequest, rows: Iterable[ApiToken], now: dt.datetime) -> list[Group]:
    once = secrets.token_hex(8)
    shown = [_shown(request, row, now, once) for row in rows]
    me = _reader(request).pk
    yours = [each for each in shown if each.row.person_id == me]
    services = [each for each in shown if each.row.account_id]
    others = [each for each in shown if each.row.person_id not in {None, me}]
    groups = [Group("Service accounts", "No service account has a live token. Make one for each pipeline.", services)]
    sees_services = may(request, "accounts.tokens") or _reader(request).role == Role.AUDITOR
    return [
        Group("Yours", "You have no live token.", yours),
        *(groups if sees_services else []),
        *([Group("Other people", "", others)] if others else []),
    ]


@require_safe
def token_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    rows = _visible(request).order_by("account__name", "person__username", "purpose", "-pk")
    alive = list(live(rows, now))
    ended = list(rows.exclude(revoked__isnull=True, expires__gt=now).order_by("-pk")[:ENDED_SHOWN])
    context = {"groups": _groups(request, alive, now), "ended": ended}
    return render(request, "tokens/token_list.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def token_new(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _form(request, TokenForm(person=_reader(request), initial={"once": secrets.token_hex(8)}))
    form = TokenForm(request.POST, person=_reader(request))
    if not form.is_valid():
        return _form(request, form)
    if _was_made(request, form.cleaned_data["once"]):
        return _said_already(request)
    try:
        made = _make(form, _reader(request), timezone.now())
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _form(request, form)
    return _made(request, made, form.cleaned_data["once"])


@transaction.atomic
def _make(form: TokenForm, person: User, now: dt.datetime) -> tuple[ApiToken, str]:
    actor, name = person.as_actor(), form.account_name()
    owner = make_account(name=name, actor=actor, now=now) if name else person
    return make_token(owner=owner, grant=form.grant(), actor=actor, now=now)


def _form(request: HttpRequest, form: TokenForm) -> HttpResponse:
    limited = any(form[name].value() or form[name].errors for name in ("models", "evaluations", "networks"))
    return render(request, "tokens/token_new.html", {"form": form, "limited": limited}, status=422 if form.errors else 200)


@never_cache
@require_POST
def token_rotate(request: HttpRequest, key: str) -> HttpResponse:
    token = get_object_or_404(_visible(request), key=key)
    once = request.POST.get("once", "")[:80]
    if _was_made(request, once):
        return _said_already(request)
    try:
        made = rotate_token(token=token, actor=_actor(request), now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("web:token-list")
    return _made(request, made, once, token)


@require_POST
def token_revoke(request: HttpRequest, key: str) -> HttpResponse:
    token = get_object_or_404(_visible(request), key=key)
    form = RevokeForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"{token} still works: choose why it ends.")
        return redirect("web:token-list")
    try:
        also = revoke_token(token=token, reason=form.cleaned_data["reason"], actor=_actor(request), now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        more = f" So are those that were made with it: {', '.join(also)}." if also else ""
        messages.success(request, f"{token} is revoked; nothing can use it any more.{more}")
    return redirect("web:token-list")


def _actor(request: HttpRequest) -> Actor:
    return _reader(request).as_actor()


def _was_made(request: HttpRequest, once: str) -> bool:
    """Whether this very form made a token before: a page that is loaded again must not make another."""
    return bool(once) and once in request.session.get("tokens_made", [])


def _said_already(request: HttpRequest) -> HttpResponse:
    messages.error(request, "That token was made already, and is shown only once. If you did not keep it, revoke it and make another.")
    return redirect("web:token-list")


def _made(request: HttpRequest, made: tuple[ApiToken, str], once: str, replaces: ApiToken | None = None) -> HttpResponse:
    request.session["tokens_made"] = [*request.session.get("tokens_made", []), once][-MADE_KEPT:]
    row, text = made
    site = request.build_absolute_uri("/").rstrip("/")
    return render(request, "tokens/token_made.html", {"row": row, "text": text, "site": site, "replaces": replaces}, status=201)
