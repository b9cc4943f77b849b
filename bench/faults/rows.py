"""What the database holds after posts were disturbed, printed as JSON: every run's number by its external id, and what does not hold."""

import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fsf.settings")
django.setup()

from django.db.models import Count  # noqa: E402 - models are there only after django.setup

from audit import log  # noqa: E402
from crises.models import Receipt  # noqa: E402
from evals.models import EvalResult, EvalRun  # noqa: E402
from thresholds.models import Assessment, Crossing  # noqa: E402


def main() -> None:
    """Runs, and how many of them lack or double what belongs to a run."""
    runs: dict[str, list[int]] = {}
    for external_id, number in EvalRun.objects.order_by("pk").values_list("external_id", "pk"):
        runs.setdefault(external_id, []).append(number)
    receipts = set(Receipt.objects.values_list("run_id", flat=True))
    results = dict(EvalResult.objects.values_list("run_id").annotate(Count("pk")))
    judged = dict(Assessment.objects.values_list("run_id").annotate(Count("pk")))
    numbers = [number for held in runs.values() for number in held]
    wrong = {
        "without a receipt": sum(number not in receipts for number in numbers),
        "without exactly one result": sum(results.get(number) != 1 for number in numbers),
        "not judged exactly once": sum(judged.get(number) != 1 for number in numbers),
    }
    print(json.dumps({"runs": runs, "wrong": wrong, "crossings": Crossing.objects.count(), "broken": log.verify()}))


if __name__ == "__main__":
    main()
