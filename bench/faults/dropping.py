"""Replies are dropped after the commit: is anything lost or doubled, and does every repeat get the reply of the first time?"""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from bench.faults.ledger import Compared, Ledger, compare
from bench.faults.product import Product
from bench.faults.proxy import Faults, Reply, between
from bench.load import bodies
from fsf_client import Client

THREADS, PATIENCE = 16, 60


@dataclass(frozen=True, slots=True)
class Dropping:
    """What came of it. `repeats` are replies to a key that was answered before, `different` those that said something else than the
    first; `failures` are answers of 500 and above, `crashes` what the client raised, `unsent` the posts left in its outbox."""

    posts: int
    dropped: int
    repeats: int
    different: int
    failures: int
    crashes: tuple[str, ...]
    unsent: int
    compared: Compared
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether it was as it must be."""
        return self.compared.holds and not (self.different or self.failures or self.crashes or self.unsent) and self.repeats >= self.dropped

    def __str__(self) -> str:
        """A few lines."""
        lines = (
            f"{self.posts:,} posts by {THREADS} threads in {self.seconds:.0f} s, {self.dropped:,} replies dropped after the commit",
            f"{self.repeats:,} repeats answered, {self.different} of them otherwise than the first time",
            f"{self.failures} failures, {self.unsent} unsent, the client crashed {len(self.crashes)} times {' '.join(self.crashes[:1])}",
            str(self.compared),
        )
        return "\n  ".join(lines)


def drop_replies(product: Product, *, posts: int, share: float) -> Dropping:
    """Post runs with the client through the proxy, and compare the client's own ledger with the rows."""
    runs = [json.loads(body) for body in bodies(posts, product.checkpoints, "dropped", seed=1)]
    faults, ledger, began = Faults(share), Ledger(product.folder / "dropped.ledger"), time.monotonic()
    with between(product.port, faults) as port:
        box = product.folder / "outbox-dropped"
        with Client(f"http://127.0.0.1:{port}", product.token, outbox=box, patience=PATIENCE) as client:
            crashes = post_all(client, runs, ledger)
            client.send_outbox()
            unsent = len(client.outbox.unsent(client.url))
    took, replies = time.monotonic() - began, list(faults.replies.values())
    return Dropping(
        posts=posts,
        dropped=faults.dropped(),
        repeats=sum(len(kept_of(each)) - 1 for each in replies if kept_of(each)),
        different=sum(differ(each) for each in replies),
        failures=sum(reply.status >= 500 for each in replies for reply in each),
        crashes=tuple(crashes),
        unsent=unsent,
        compared=compare([run["external_id"] for run in runs], ledger.read(), product.rows("dropped-")),
        seconds=took,
    )


def post_all(client: Client, runs: Sequence[dict[str, Any]], ledger: Ledger) -> list[str]:
    """Post every run from a few threads; what the server acknowledges is noted at once. Returns what the client raised."""

    def post(run: dict[str, Any]) -> str:
        try:
            receipt = client.post_run(run)
        except Exception as wrong:  # noqa: BLE001 - whatever it is, it is a finding
            return repr(wrong)
        if receipt.delivered:
            ledger.note(run["external_id"], int(receipt.reply["id"]))
        return ""

    with ThreadPoolExecutor(THREADS) as pool:
        return [crash for crash in pool.map(post, runs) if crash]


def kept_of(replies: Sequence[Reply]) -> list[Reply]:
    """The replies that say the run is stored."""
    return [reply for reply in replies if reply.status < 300]


def differ(replies: Sequence[Reply]) -> int:
    """How many of the replies to one key say something else than the first that says the run is stored."""
    said = [reply.said for reply in kept_of(replies)]
    return sum(each != said[0] for each in said[1:])
