"""What is read of an Inspect log, of format version 2: its header and a line for each sample, never what was said in it. Plain Python.

The shapes follow inspect_ai 0.3.285 `log/_log.py`; what is not named here is skipped, and what has another type is refused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec

from evals.importers import Unreadable
from evals.importers.strict_json import read_object, read_quickly

Count = Annotated[int, msgspec.Meta(ge=0, le=2_000_000_000)]
Number = int | float | None
SAMPLES = 200_000  # lines that one log may have
DEEPEST = 256  # levels in a whole sample, whose events nest
HEAVY = frozenset({"messages", "events", "events_data", "attachments", "store", "output"})
HEAVY_NAME = re.compile(rb'"(?:' + "|".join(sorted(HEAVY)).encode() + rb')"|\\u00')  # \u: a name may be written in escapes
REMEDY = "Write the log again with a current inspect_ai (`inspect log convert`), or report the format."


class Dataset(msgspec.Struct, frozen=True):
    """The samples that were there, and the ids of those selected."""

    name: str | None = None
    samples: Count | None = None
    sample_ids: list[int | str] | None = None


class Config(msgspec.Struct, frozen=True):
    """What was asked for: how many samples, how often, and up to which limits for each."""

    limit: Count | list[Count] | None = None  # a list is a range; msgspec 0.22.0 can crash on tuples of fixed length
    epochs: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    epochs_reducer: list[str] | None = None
    message_limit: Number = None
    token_limit: Number = None
    turn_limit: Number = None
    time_limit: Number = None
    working_limit: Number = None
    cost_limit: Number = None


class Revision(msgspec.Struct, frozen=True):
    """The commit that was evaluated with; the origin may hold credentials."""

    origin: str = ""
    commit: str = ""
    dirty: bool | None = None


class Scorer(msgspec.Struct, frozen=True):
    """A scorer with its metrics: a list, or a list for each key of its score."""

    name: str
    metrics: list[Any] | dict[str, Any] | None = None


class Shards(msgspec.Struct, frozen=True):
    """A log merged from parts; how many samples were meant to be selected."""

    sample_count: Count | None = None


class Spec(msgspec.Struct, frozen=True):
    """What was evaluated: task, model, dataset, configuration."""

    task: str
    model: str
    eval_id: str = ""
    run_id: str = ""
    task_id: str = ""
    eval_set_id: str | None = None
    created: str = ""
    task_version: int | str = 0
    task_args: dict[str, Any] = {}
    dataset: Dataset = Dataset()
    config: Config = Config()
    model_base_url: str | None = None
    model_roles: dict[str, Any] | None = None
    model_generate_config: dict[str, Any] = {}
    sandbox: Any = None
    revision: Revision | None = None
    packages: dict[str, str] = {}
    metadata: dict[str, Any] | None = None
    scorers: list[Scorer] | None = None
    shards: Shards | None = None


class Step(msgspec.Struct, frozen=True):
    """One solver; its parameters may hold prompts."""

    solver: str
    params: dict[str, Any] = {}


class Plan(msgspec.Struct, frozen=True):
    """The solvers in order."""

    steps: list[Step] = []
    config: dict[str, Any] = {}


class Metric(msgspec.Struct, frozen=True):
    """One number; NaN arrives as None."""

    name: str
    value: Number = None
    group: str | None = None
    params: dict[str, Any] = {}


class Score(msgspec.Struct, frozen=True):
    """The metrics of one score of one scorer, under one way of reducing epochs."""

    name: str
    scorer: str = ""
    reducer: str | None = None
    scored_samples: Count | None = None
    metrics: dict[str, Metric] = {}


class Headline(msgspec.Struct, frozen=True):
    """Which metric the task itself calls its result."""

    scorer: str = ""
    score: str | None = None
    metric: str = ""
    reducer: str | None = None


class Results(msgspec.Struct, frozen=True):
    """Counts over samples times epochs, and the scores."""

    total_samples: Count = 0
    completed_samples: Count = 0
    scores: list[Score] = []
    headline: Headline | None = None
    early_stopping: dict[str, Any] | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens and cost of one model."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    total_tokens: Count = 0
    total_cost: Number = None


class Stats(msgspec.Struct, frozen=True):
    """Times as text, empty where the run did not get there."""

    started_at: str = ""
    completed_at: str = ""
    model_usage: dict[str, Usage] = {}


class Header(msgspec.Struct, frozen=True):
    """`header.json`, or `_journal/start.json` of a log that never got one."""

    eval: Spec
    version: int = 2
    status: str = "started"
    plan: Plan = Plan()
    results: Results | None = None
    stats: Stats = Stats()
    invalidated: bool = False
    log_updates: list[Any] | None = None
    config_updates: list[Any] | None = None


class SampleScore(msgspec.Struct, frozen=True):
    """The value of one score of one sample; None where it was not scored. `history` has its edits."""

    value: int | float | bool | str | list[Any] | dict[str, Any] | None = None
    history: list[Any] = []


class Sample(msgspec.Struct, frozen=True):
    """One sample in one epoch: scores, whether it failed or hit a limit."""

    id: int | str
    epoch: int = 1
    scores: dict[str, SampleScore] | None = None
    error: Any = None
    limit: Any = None
    metadata: dict[str, Any] | None = None


class Reduced(msgspec.Struct, frozen=True):
    """One sample after its epochs were reduced."""

    sample_id: int | str | None = None
    value: int | float | bool | str | list[Any] | dict[str, Any] | None = None


class Reduction(msgspec.Struct, frozen=True):
    """All samples under one scorer and one way of reducing."""

    scorer: str
    reducer: str | None = None
    samples: list[Reduced] = []


# Looked through here, once: msgspec 0.22 ends the process where two threads are the first to read a shape at the same time.
SHAPES = tuple(map(msgspec.json.Decoder, (Header, Sample, Reduction)))


@dataclass(slots=True)
class Log:
    """A log as far as it is read; a later line for the same sample and epoch replaces the earlier one, as Inspect reads it."""

    header: Header
    finished: bool = True
    lines: dict[tuple[str, int], Sample] = field(default_factory=dict)
    added: int = 0
    written: str = ""  # by the clock on the wall of its writer
    reductions: list[Reduction] = field(default_factory=list)

    @property
    def samples(self) -> Iterable[Sample]:
        """The samples that left a line."""
        return self.lines.values()

    def add(self, sample: Sample) -> None:
        """Take one more line; raises Unreadable where there are too many."""
        self.lines[str(sample.id), sample.epoch] = sample
        self.added += 1
        if self.added > SAMPLES:
            raise Unreadable(f"It has more than {SAMPLES} lines of samples.", remedy="Split the evaluation into several.")


def light(part: dict[str, Any]) -> dict[str, Any]:
    """The object without transcripts; `strict_json` calls it for each object as soon as it is read, so that none is ever whole."""
    return {name: value for name, value in part.items() if name not in HEAVY or not isinstance(value, list | dict)}


def read_header(raw: bytes, place: str) -> Header:
    """The header in a JSON object; raises Unreadable."""
    return header_of(read_object(raw, place), place)


def header_of(content: dict[str, Any], place: str) -> Header:
    """The header in an object; raises Unreadable, also for a format that is not known."""
    header = shaped(content, Header, place)
    if header.version not in (1, 2):
        raise Unreadable(f"Its format is version {header.version}; 1 and 2 are read.", place=place, remedy="Update this importer.")
    return header


def read_sample(raw: bytes, place: str) -> Sample:
    """One line, from a summary or a whole sample; raises Unreadable."""
    return shaped(read_object(raw, place, light, DEEPEST), Sample, place)


def read_samples(raw: bytes) -> list[Sample] | None:
    """The lines of a small summary at once, where it is surely what `read_sample` would make of each; else None."""
    if HEAVY_NAME.search(raw):
        return None
    content = read_quickly(raw)
    if not isinstance(content, list) or len(content) > SAMPLES:
        return None
    try:
        return msgspec.convert(content, list[Sample])
    except msgspec.ValidationError:
        return None


def read_reduction(raw: bytes, place: str) -> Reduction:
    """One reduction; raises Unreadable."""
    return shaped(read_object(raw, place, light, DEEPEST), Reduction, place)


S = TypeVar("S", bound=msgspec.Struct)


def shaped(content: dict[str, Any], kind: type[S], place: str) -> S:
    """The content as the shape that is known; raises Unreadable and says where it differs."""
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as wrong:
        raise Unreadable(f"It is not as Inspect writes it: {str(wrong).replace('`', chr(39))}.", place=place, remedy=REMEDY) from None
