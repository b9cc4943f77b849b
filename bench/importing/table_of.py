"""Run with inspect_ai's own environment: builds its table of the logs in a folder, and prints how many rows and how long that took."""

import json
import sys
import time

from inspect_ai.analysis import evals_df

began = time.monotonic()
rows = len(evals_df(sys.argv[1], quiet=True))
print(json.dumps({"rows": rows, "seconds": time.monotonic() - began}))
