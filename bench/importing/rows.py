"""How many imported logs the database holds, whole and judged, printed as JSON."""

import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fsf.settings")
django.setup()

from audit import log  # noqa: E402 - models are there only after django.setup
from evals.models import EvalRun  # noqa: E402
from thresholds.models import Assessment  # noqa: E402


def main() -> None:
    """Runs, different external ids, assessments, and the first broken entry of the audit log."""
    ids = EvalRun.objects.values("external_id").distinct().count()
    counts = {"runs": EvalRun.objects.count(), "ids": ids, "assessments": Assessment.objects.count()}
    print(json.dumps({**counts, "broken": log.verify()}))


if __name__ == "__main__":
    main()
