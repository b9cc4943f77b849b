"""What posts will ask of the database, guessed from what the same names came to before, so that all of it is asked at once.

A guess decides nothing: it only brings forward what `evals.prepared.ask` asks anyway, and what was guessed wrongly is asked then.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from database.asking import is_quick
from database.wire import Question
from evals.models import EvalRun
from evals.rows import ids_question
from evals.storing import Posted, questions
from evals.submissions import Submission
from thresholds.assess import Judged
from thresholds.governing import STAMPS
from thresholds.models import Assessment
from thresholds.quickly import heirs_question, places_question, validity_question

MOST = 32  # posts; more of them are few statements for each anyway
MOST_KEPT = 50_000
Name = tuple[str, str, dt.date | None, bool]


class Came(NamedTuple):
    """Checkpoint, evaluation and levels, by their ids."""

    checkpoint: int
    evaluation: int
    levels: tuple[int, ...]


_came: dict[Name, Came] = {}


def _name(submission: Submission) -> Name:
    day = submission.completed.date() if submission.completed else None
    return submission.checkpoint, submission.evaluation, day, submission.status == "started"


def foreseen(posts: Sequence[Posted]) -> list[Question]:
    """The questions in the order in which they will be asked; none where nothing is known of one of the names."""
    if not is_quick() or len(posts) > MOST:
        return []
    came = [found for post in posts if (found := _came.get(_name(post.submission))) is not None]
    if len(came) < len(posts):
        return []
    return [*questions(posts), ids_question(EvalRun, len(posts)), *_judging([each for each in came if each.levels])]


def _judging(came: Sequence[Came]) -> list[Question]:
    """What judging runs will ask."""
    if not came:
        return []
    places = [(each.checkpoint, level) for each in came for level in each.levels]
    return [
        (STAMPS, ()),
        heirs_question({each.checkpoint for each in came}),
        places_question(set(places)),
        validity_question({each.evaluation for each in came}),
        ids_question(Assessment, len(places)),
    ]


def learn(submission: Submission, run: EvalRun, judged: Iterable[Judged]) -> None:
    """Note what the names in a post came to."""
    if len(_came) >= MOST_KEPT:
        _came.clear()
    rows = [vars(each.assessment) for each in judged]
    levels = tuple([row["level_id"] for row in rows if row["checkpoint_id"] == run.checkpoint_id])
    _came[_name(submission)] = Came(run.checkpoint_id, run.evaluation_id, levels)
