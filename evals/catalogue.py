"""Registering what runs refer to: models, checkpoints and evaluations; each registration is audited."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction

from accounts.roles import Actor, Kind, Refused, require
from audit import log
from evals.models import Checkpoint, Evaluation, FrontierModel


class AlreadyRegistered(Refused):
    """The name is taken by something with other content."""


EVERYONE = "All labs"  # the frontier of every family together, so nobody's own


def _may(actor: Actor) -> None:
    """A person needs the right to register; a pipeline's token has been checked at the door."""
    if actor.kind is Kind.PERSON:
        require(actor, "evals.register")


class UnknownEvaluation(LookupError):
    """No evaluation has that name, or several versions do; the text says which."""


def _register(kind: str, found: Any, wanted: Mapping[str, Any], name: str) -> bool:
    """Whether `found` already says what is wanted; raises AlreadyRegistered where it says otherwise."""
    if found is None:
        return False
    for field, value in wanted.items():
        if getattr(found, field) != value:
            raise AlreadyRegistered(
                f"The {kind} '{name}' is registered with {field} {getattr(found, field)!r}, not {value!r}; "
                f"register it under another name, or leave {field} as it is."
            )
    return True


@transaction.atomic
def register_model(*, slug: str, name: str, developer: str, family: str = "", actor: Actor, now: dt.datetime) -> FrontierModel:
    """Register a model once; the same content again returns the same row, other content raises AlreadyRegistered.

    `family` names the frontier that it belongs to in forecasts; the developer's where it is empty. Raises Refused for the
    name that all of them share.
    """
    _may(actor)
    if EVERYONE.casefold() in {family.strip().casefold(), developer.strip().casefold()}:
        raise Refused(f"'{EVERYONE}' is what forecasts call all developers together; name the developer or family itself.")
    found = FrontierModel.objects.filter(slug=slug).first()
    if _register("model", found, {"name": name, "developer": developer, "family": family}, slug):
        assert found is not None  # noqa: S101 - told to the type checker
        return found
    model = FrontierModel.objects.create(slug=slug, name=name, developer=developer, family=family)
    log.record(action="evals.model.register", about=f"model:{slug}", actor=actor, now=now, data={"name": name, "developer": developer})
    return model


@transaction.atomic
def register_checkpoint(*, model: FrontierModel, fields: Mapping[str, Any], actor: Actor, now: dt.datetime) -> Checkpoint:
    """Register a checkpoint (slug, name, dates, effective compute in FLOP, parent and relation) once, as register_model does."""
    _may(actor)
    slug = fields["slug"]
    found = Checkpoint.objects.filter(slug=slug).first()
    if _register("checkpoint", found, {"model_id": model.pk, **fields}, slug):
        assert found is not None  # noqa: S101 - told to the type checker
        return found
    checkpoint = Checkpoint.objects.create(model=model, **fields)
    log.record(
        action="evals.checkpoint.register",
        about=f"checkpoint:{slug}",
        actor=actor,
        now=now,
        data={"model": model.slug, **{key: str(value) for key, value in fields.items() if value not in (None, "")}},
    )
    return checkpoint


@transaction.atomic
def register_evaluation(*, fields: Mapping[str, Any], actor: Actor, now: dt.datetime) -> Evaluation:
    """Register one version of an evaluation once; another definition under the same version raises AlreadyRegistered."""
    _may(actor)
    found = Evaluation.objects.filter(slug=fields["slug"], version=fields["version"]).first()
    name = f"{fields['slug']}@{fields['version']}"
    if _register("evaluation", found, fields, name):
        assert found is not None  # noqa: S101 - told to the type checker
        return found
    evaluation = Evaluation.objects.create(**fields)
    log.record(action="evals.evaluation.register", about=f"evaluation:{name}", actor=actor, now=now, data=dict(fields))
    return evaluation


def unknown_models(slugs: Collection[str]) -> list[str]:
    """Those of the slugs under which no model is registered."""
    return sorted({*slugs} - {*FrontierModel.objects.filter(slug__in=slugs).values_list("slug", flat=True)})


def unknown_evaluations(slugs: Collection[str]) -> list[str]:
    """Those of the slugs, without a version, under which no evaluation is registered."""
    return sorted({*slugs} - {*Evaluation.objects.filter(slug__in=slugs).values_list("slug", flat=True)})


def find_evaluation(name: str) -> Evaluation:
    """The evaluation named `slug@version`, or `slug` where it has one version; raises UnknownEvaluation."""
    slug, _, version = name.partition("@")
    return choose_evaluation(name, list(Evaluation.objects.filter(slug=slug, **({"version": version} if version else {}))[:5]))


def choose_evaluation(name: str, rows: Sequence[Evaluation]) -> Evaluation:
    """The one of these rows that a name stands for; raises UnknownEvaluation where there is none, or several."""
    if len(rows) == 1:
        return rows[0]
    if not rows:
        raise UnknownEvaluation(f"No evaluation '{name}' is registered; GET /api/v1/evaluations/ lists those that are.")
    raise UnknownEvaluation(f"'{rows[0].slug}' has several versions; post one of {', '.join(row.key for row in rows)}.")
