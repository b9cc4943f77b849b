"""Framework files: versioned YAML beside this module, checked, digested and stored once."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml
from django.db import transaction

from accounts.roles import Actor, Refused
from audit import log
from evals.catalogue import register_evaluation
from evals.models import Evaluation
from thresholds.library.shape import FrameworkFile, InvalidFramework, LevelEntry, check
from thresholds.models import CapabilityLevel, Framework, RiskDomain, Threshold

LIBRARY = Path(__file__).parent


class FrameworkChanged(Refused):
    """A file says something else than was loaded under the same version; a changed framework needs a new version."""


class _Once(yaml.SafeLoader):
    """Plain YAML in which a key stands once: the last of two lines must not quietly win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - yaml's own
        keys = [key.value for key, _ in node.value]
        if doubled := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.MarkedYAMLError(problem=f"the key '{doubled}' stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def read_file(path: Path) -> FrameworkFile:
    """Read and check one framework file; raises InvalidFramework with the file and what is wrong where."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Once)  # noqa: S506 - a safe loader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as wrong:
        raise InvalidFramework(f"{path.name}: {' '.join(str(wrong).split())}") from wrong
    try:
        found = msgspec.convert(content, FrameworkFile)
    except msgspec.ValidationError as wrong:
        raise InvalidFramework(f"{path.name}: {str(wrong).replace('`', chr(39))}.") from None
    if faults := check(found):
        raise InvalidFramework(f"{path.name}: " + "; ".join(faults))
    return found


def file_digest(content: FrameworkFile) -> str:
    """Hex SHA-256 of the canonical content: comments, order of keys and layout do not count."""
    plain = msgspec.to_builtins(content, builtin_types=())
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@transaction.atomic
def load(*, content: FrameworkFile, actor: Actor, now: dt.datetime) -> tuple[Framework, bool]:
    """Store one framework version with its domains, evaluations, levels and lines; the same content again does nothing.

    Returns the framework and whether it was stored now. Raises FrameworkChanged where the version is known with another
    digest, AlreadyRegistered where it defines a known evaluation otherwise.
    """
    about, content_digest = content.framework, file_digest(content)
    found = Framework.objects.filter(slug=about.slug, version=about.version).first()
    if found is not None:
        if found.digest != content_digest:
            raise FrameworkChanged(
                f"{found} was loaded on {found.loaded:%d %b %Y} with other content "
                f"(digest {found.digest[:12]}, now {content_digest[:12]}). "
                "A framework version never changes: give the file a new version."
            )
        return found, False
    framework = Framework.objects.create(**msgspec.structs.asdict(about), digest=content_digest, loaded=now)
    evaluations = {
        f"{entry.slug}@{entry.version}": register_evaluation(fields=msgspec.structs.asdict(entry), actor=actor, now=now)
        for entry in content.evaluations
    }
    names = {domain.slug: domain.name for domain in content.domains}
    for position, entry in enumerate(content.levels):
        _add_level(framework, position, entry, names, evaluations)
    log.record(
        action="thresholds.framework.load",
        about=f"framework:{framework.key}",
        actor=actor,
        now=now,
        data={"digest": content_digest, "levels": [entry.slug for entry in content.levels]},
    )
    return framework, True


def _add_level(
    framework: Framework, position: int, entry: LevelEntry, names: Mapping[str, str], evaluations: Mapping[str, Evaluation]
) -> None:
    domain, _ = RiskDomain.objects.get_or_create(
        slug=entry.domain, defaults={"name": names[entry.domain], "position": RiskDomain.objects.count()}
    )
    fields: dict[str, Any] = msgspec.structs.asdict(entry)
    for apart in ("domain", "thresholds", "checklist"):
        fields.pop(apart)
    level = CapabilityLevel.objects.create(
        framework=framework, domain=domain, key=f"{framework.key}.{entry.slug}", position=position, **fields
    )
    Threshold.objects.bulk_create(
        Threshold(level=level, **{**msgspec.structs.asdict(line), "evaluation": evaluations[line.evaluation]}) for line in entry.thresholds
    )
