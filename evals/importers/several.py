"""Several files of one request, each read by itself: what is wrong with one says nothing of the others. Plain Python."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from evals.importers import Options
from evals.importers.bounded import MOST_RUNS, Reading, read_bounded

SECONDS = 5.0  # after which no further file of a request is begun


class NotReached(Exception):
    """The files before it took so long, or held so many runs, that this one was left out."""

    def __init__(self) -> None:
        super().__init__("The files before it took too long or held too many runs. Send it alone.")


def read_several(
    files: Sequence[tuple[str, IO[bytes]]], options: Options, wanted_format: str = "", clock: Callable[[], float] = time.monotonic
) -> Iterator[Reading | Exception]:
    """The runs of each named file, or why there are none, in order; together no more time and runs than one file may take."""
    until, runs = clock() + SECONDS, 0
    for number, (name, content) in enumerate(files):
        if number and (clock() > until or runs >= MOST_RUNS):
            yield NotReached()
            continue
        try:
            read = read_bounded(name, content, options, wanted_format)
        except Exception as wrong:  # noqa: BLE001 - whatever one file brings about is its own, and its report tells it
            yield wrong
            continue
        runs += len(read.runs)
        yield read
