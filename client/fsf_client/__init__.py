"""Posts the results of evaluation pipelines to an fsf server, so that none is lost, and asks its deployment gate.

Names are loaded when they are first used, so that the command line and the Inspect hook start fast.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsf_client.answers import GateAnswer, Receipt, Refused
    from fsf_client.client import Client, Run, Sent
    from fsf_client.importing import Imported, Names
    from fsf_client.outbox import NotJson, Outbox, OutboxFull
    from fsf_client.reading import Unreadable
    from fsf_client.retrying import Unreachable
    from fsf_client.transport import NotConfigured

__version__ = "0.1.0"
__all__ = [
    "Client",
    "GateAnswer",
    "Imported",
    "Names",
    "NotConfigured",
    "NotJson",
    "Outbox",
    "OutboxFull",
    "Receipt",
    "Refused",
    "Run",
    "Sent",
    "Unreachable",
    "Unreadable",
    "__version__",
]
HOMES = {
    "answers": ("GateAnswer", "Receipt", "Refused"),
    "client": ("Client", "Run", "Sent"),
    "importing": ("Imported", "Names"),
    "outbox": ("NotJson", "Outbox", "OutboxFull"),
    "reading": ("Unreadable",),
    "retrying": ("Unreachable",),
    "transport": ("NotConfigured",),
}


def __getattr__(name: str) -> Any:
    home = next((home for home, names in HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'fsf_client' has no attribute '{name}'")
    return getattr(importlib.import_module(f"fsf_client.{home}"), name)
