"""The embedded broker: kombu's folder of message files, made safe for a reader and a writer at the same moment.

kombu 5.7 lets a message be taken between the opening of its file and the writing of it; the reader then meets an empty file
and the worker ends. Here a message appears under its name only when it is whole, and one that cannot be read is passed over:
truth lives in rows, and the next tick asks again.
"""

import json
import logging
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

LOOK_EVERY = 0.2  # seconds
logger = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """Puts and takes messages by renaming: at any moment a file has one owner."""

    def _put(self, queue: str, payload: Any, **_options: Any) -> None:  # type: ignore[override]  # kombu names it twice
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}"
        folder = Path(self.data_folder_out)
        part = folder / f"{name}.part"
        part.write_text(dumps(payload))
        part.replace(folder / f"{name}.msg")

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        for name in sorted(path.name for path in folder.iterdir()):
            if name.partition(".")[2] == f"{queue}.msg" and (found := _take(folder / name)) is not None:
                return found
        raise Empty


class Transport(filesystem.Transport):
    """What the setting CELERY_BROKER_TRANSPORT names; it looks often, and lets the worker see soon that it is to stop."""

    Channel = Channel
    polling_interval = LOOK_EVERY

    def drain_events(self, connection: Any, timeout: float | None = None, **options: Any) -> None:
        """Wait for a message for a moment only; Celery's loop asks again, after it has looked whether it should end."""
        super().drain_events(connection, timeout=LOOK_EVERY if timeout is None else min(timeout, LOOK_EVERY), **options)


def _take(path: Path) -> Any:
    """The message of a file that is ours once renamed, or None where another worker was first or there is none in it."""
    taken = path.with_suffix(".taken")
    try:
        path.rename(taken)
        text = taken.read_text()
        taken.unlink()
        return loads(text)
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError):
        logger.warning("The message file %s cannot be read and is passed over.", path.name)
        return None
