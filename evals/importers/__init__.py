"""Files of other evaluation harnesses, read into submissions: bytes in, plain submissions out. Plain Python, no server, no database.

Every importer is one module with the same three parts:

    NAME = "some-format"                                    # unique, lower case, in reports and in provenance
    def recognises(name: str, head: bytes) -> bool          # by content; `head` is the start of the file, at most HEAD bytes
    def read(name: str, content: IO[bytes], options: Options) -> Iterator[dict[str, Any]]

`recognises` never raises and is sure of itself: a file that two importers could take goes to the first in `registry.BUILT_IN`.
`read` gets a seekable file at its start and yields dictionaries of exactly the shape that `evals.submissions.parse` accepts, with
JSON types only (times as RFC 3339 text). It raises `Unreadable` for what it cannot read, and never guesses:

- what a log lacks is left out, or null with the reason `UNSCORED`; a sample without a score is never a failure to solve;
- `coverage.planned` is what was selected times epochs, whatever the log's own status says;
- a standard error of 0 says nothing and is left out;
- inputs, targets, answers, explanations and transcripts never leave `read`; credentials in addresses are cut off;
- `options.checkpoint` and `options.evaluation`, where given, win over what the log says; `options.version` is for logs without one.

`registry` adds what is the same for all (who attests; evidence: file name, size, SHA-256, importer) and checks each submission, so `read`
need not.
JSON is read with `strict_json.read`, which turns NaN and infinities into null and refuses what readers could disagree on; large JSON
is cut up by `json_parts` first, archives are opened by `archive`, and addresses are kept only as `addresses.scrubbed` leaves them.
A new built-in goes into `registry.BUILT_IN`; another distribution offers a module under the entry-point group `fsf.importers`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

HEAD = 65_536  # bytes that `recognises` sees
UNSCORED = "unscored"  # the reason of a measurement that the log names without a finite number


class Unreadable(Exception):
    """A file cannot be imported: which, where in it, why, and what to do; the frame fills in the file's name."""

    def __init__(self, reason: str, *, place: str = "", remedy: str = "", file: str = "") -> None:
        super().__init__(reason, place, remedy, file)
        self.reason, self.place, self.remedy, self.file = reason, place, remedy, file

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.file, self.place) if part)
        return ": ".join(part for part in (where, " ".join(part for part in (self.reason, self.remedy) if part)) if part)


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller knows better than the file; empty means: as the file says.

    `mapping` is the content of a mapping file (which column is what), `running` says that unfinished logs are still being written,
    `attested_by` who vouches that the model was elicited properly, `version` which version of the evaluation a file is of that has none.
    """

    checkpoint: str = ""
    evaluation: str = ""
    mapping: Mapping[str, Any] | None = None
    running: bool = False
    attested_by: str = ""
    version: str = ""


class Importer(Protocol):
    """The three parts of an importer; a module is one."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """Unique, lower case; stands in reports and in provenance."""

    def recognises(self, name: str, head: bytes) -> bool:
        """Whether this importer reads the file, by the start of its content."""

    def read(self, name: str, content: IO[bytes], options: Options) -> Iterator[dict[str, Any]]:
        """The submissions of a file; raises Unreadable."""
