"""Replies dropped after the commit, one key from many threads, and a server that is killed amid posts: is anything lost or doubled?"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.faults.crowding import THREADS, post_one_run
from bench.faults.dropping import drop_replies
from bench.faults.killing import kill_amid
from bench.faults.product import Product, databases, product_on
from bench.post_run import say
from bench.servers import NotServing

Trial = Callable[[Product], object]


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--posts", type=int, default=10_000, help="whose replies may be dropped")
    parser.add_argument("--share", type=float, default=0.1, help="of the replies that are dropped")
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--on", choices=["sqlite", "postgresql"], action="append", help="otherwise on both, where PostgreSQL is found")
    return parser.parse_args()


def trials(asked: argparse.Namespace) -> list[Trial]:
    """What is tried, in order."""
    return [
        lambda product: drop_replies(product, posts=asked.posts, share=asked.share),
        lambda product: post_one_run(product, name="one-key", keys=1),
        lambda product: post_one_run(product, name="own-keys", keys=THREADS),
        lambda product: kill_amid(product, posts=200 * asked.kills, kills=asked.kills),
    ]


def tried(database: str, asked: argparse.Namespace) -> bool:
    """Try everything on one database; whether all held."""
    held = True
    with tempfile.TemporaryDirectory(prefix="fsf-faults-", ignore_cleanup_errors=True) as name, product_on(database, Path(name)) as product:
        say(f"{product.where.name}:")
        for trial in trials(asked):
            found = trial(product)
            holds = bool(getattr(found, "holds", False))
            held = held and holds
            say(f"  {'HOLDS' if holds else 'DOES NOT HOLD'}: {str(found).replace(chr(10), chr(10) + '  ')}")
    return held


def main() -> None:
    """Try and tell; exit 1 where anything did not hold."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    asked = options()
    try:
        held = [tried(database, asked) for database in asked.on or databases()]
    except NotServing as wrong:
        sys.exit(f"It could not be tried. {wrong}")
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
