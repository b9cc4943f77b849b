"""After the rounds, while the database is still there: was everything that was answered kept, judged and audited? Printed as JSON."""

import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fsf.settings")
django.setup()

from audit import log  # noqa: E402 - models are there only after django.setup
from audit.models import Entry  # noqa: E402
from crises.models import Receipt  # noqa: E402
from evals.models import EvalRun  # noqa: E402
from thresholds.models import Assessment, Crossing  # noqa: E402


def main() -> None:
    """The rows of each step, and the first broken entry of the audit log, None where all hold."""
    counts = {model.__name__: model.objects.count() for model in (EvalRun, Assessment, Receipt, Crossing)}
    together = Entry.objects.filter(action="evals.runs.record").values_list("data", flat=True)  # one for a batch
    audited = Entry.objects.filter(action="evals.run.record").count() + sum(len(data["runs"]) for data in together)
    print(json.dumps({**counts, "audited": audited, "broken": log.verify()}))


if __name__ == "__main__":
    main()
