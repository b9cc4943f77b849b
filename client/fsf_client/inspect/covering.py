"""How much of its plan an Inspect run carried out. Plain Python; inspect_ai is not imported."""

from collections.abc import Mapping
from typing import Any

from fsf_client.inspect.solving import Line, lacks

Content = Mapping[str, Any]


def planned(spec: Content) -> int | None:
    """Samples selected times epochs; None where the log does not say."""
    chosen = selected(spec)
    return None if chosen is None else chosen * int(part(spec, "config").get("epochs") or 1)


def selected(spec: Content) -> int | None:
    """Samples chosen from the dataset, before epochs."""
    dataset = part(spec, "dataset")
    if dataset.get("sample_ids"):
        return len(dataset["sample_ids"])
    counts = (_most(part(spec, "config").get("limit")), dataset.get("samples"))
    return min((count for count in counts if isinstance(count, int)), default=None)


def _most(limit: Any) -> Any:
    """Samples within a limit, which may be a range."""
    return max(0, limit[-1] - limit[0]) if isinstance(limit, list | tuple) and limit else limit


def coverage(header: Content, lines: list[Line]) -> dict[str, int]:
    """How much of the plan was carried out; each sample counts once, as failed, else cut off by a limit, else unscored."""
    results, sound = part(header, "results"), [line for line in lines if not line.failed]
    plan = _plan(header["eval"], results, lines)
    return {
        **({} if plan is None else {"planned": plan}),
        "completed": min(len(sound), results.get("completed_samples", len(sound))),
        "errored": len(lines) - len(sound),
        **_scored(sound, {name for line in lines for name in line.scores}),
    }


def _plan(spec: Content, results: Content, lines: list[Line]) -> int | None:
    """What was selected times epochs, or what the log itself counts, whichever is more."""
    return max((count for count in (planned(spec), results.get("total_samples"), len(lines)) if count), default=None)


def _scored(sound: list[Line], names: set[str]) -> dict[str, int]:
    """How many samples every scorer gave a value, in each part of it, and what became of the others."""
    whole = [bool(names) and not any(lacks(line.scores.get(name)) for name in names) for line in sound]
    return {
        "scored": sum(whole),
        "limit_hit": sum(line.limited for line in sound),
        "unscored": sum(not (each or line.limited) for line, each in zip(sound, whole, strict=True)),
    }


def part(content: Content, name: str) -> Content:
    """An object within an object; an empty one where it is not there."""
    found: Content = content.get(name) or {}
    return found
