"""The replies to many runs that were judged together: what several of them are told alike is put into words, and kept, once."""

import datetime as dt
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from crises.models import Receipt, Said, spoken
from crises.response import Answer, verdicts, words
from evals.models import EvalResult, EvalRun
from evals.rows import new_row, store_rows, store_values
from thresholds.assess import Judged

COLUMNS = ("run_id", "said_id", "own")


class Replies:
    """The replies to the runs of one transaction. A run that crossed a line, or that ends or corrects another, is told so itself."""

    def __init__(self, now: dt.datetime, results: Mapping[int, Sequence[EvalResult]]) -> None:
        self._now = now
        self._results = results  # by the id of the run
        self._verdicts: dict[Hashable, list[dict[str, Any]]] = {}
        self._alike: dict[Hashable, tuple[dict[str, Any], list[int]]] = {}  # the words, and the runs that were told so
        self._own: list[tuple[int, dict[str, Any]]] = []

    def answer_to(self, run: EvalRun, judged: Sequence[Judged]) -> Answer:
        """What the pipeline is told of a judged run; its crossings open or join crises and queue their alerts."""
        held, kinds = vars(run), [_kind(each) for each in judged]
        if held["supersedes_id"] is not None or [each for each in judged if each.crossing is not None]:
            reply = spoken(run.id, self._words(run, judged, kinds))
            self._own.append((run.id, reply))
            return Answer(reply, created=True, ring=bool(reply["alerts_queued"]))
        kind = (held["status"], held["complete"], held["checkpoint_id"], held["evaluation_id"], *kinds)
        if (found := self._alike.get(kind)) is None:
            found = self._alike[kind] = self._words(run, judged, kinds), []
        told, runs = found
        runs.append(run.id)
        return Answer(spoken(run.id, told), created=True, ring=False)

    def keep(self) -> None:
        """Store a receipt for each reply."""
        shared = [(new_row(Said, {}, {"words": told}), runs) for told, runs in self._alike.values() if len(runs) > 1]
        store_rows([said for said, _ in shared])
        alone = [*self._own, *[(runs[0], spoken(runs[0], told)) for told, runs in self._alike.values() if len(runs) == 1]]
        receipts = [(run, said.pk, None) for said, runs in shared for run in runs]
        store_values(Receipt, COLUMNS, [*receipts, *[(run, None, reply) for run, reply in alone]])

    def _words(self, run: EvalRun, judged: Sequence[Judged], kinds: Sequence[Hashable]) -> dict[str, Any]:
        """What the run is told; the verdicts of an assessment are made once for all that say the same at one level."""
        told: list[dict[str, Any]] = []
        for each, kind in zip(judged, kinds, strict=True):
            if (said := self._verdicts.get(kind)) is None:
                said = self._verdicts[kind] = verdicts(each)
            told += said
        return words(run=run, results=self._results[run.id], judged=judged, told=told, now=self._now)


def replies_to(runs: Iterable[int]) -> dict[int, dict[str, Any]]:
    """What was answered when these runs were stored, by id; a run that came by another door was not answered yet."""
    wanted = list(runs)
    if not wanted:
        return {}
    receipts = list(Receipt.objects.filter(run__in=wanted))
    said = Said.objects.in_bulk({receipt.said_id for receipt in receipts if receipt.said_id is not None})
    return {each.run_id: spoken(each.run_id, said[each.said_id].words) if each.said_id else each.reply for each in receipts}


def _kind(judged: Judged) -> Hashable:
    """What the words of an assessment follow from; readings and message that say the same are one object, and live with the rows."""
    held = vars(judged.assessment)
    states = held["state_before"], held["state"], held["set_after"], held["inherited_id"]
    return id(held["readings"]), id(held["message"]), id(judged.status), states
