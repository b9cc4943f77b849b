"""The strict reader of `evals.strict_json` for the files of importers: what is refused is told with its place. Plain Python."""

from typing import Any

from evals.importers import Unreadable
from evals.strict_json import DEPTH, QUICK, Keep, NotStrict, read_log, read_quickly, unstorable

__all__ = ["DEPTH", "QUICK", "REMEDY", "read", "read_object", "read_quickly", "unstorable"]
REMEDY = "Export the file again; if it stays so, report it to the maker of the tool that wrote it."


def read(raw: bytes, place: str = "", keep: Keep | None = None, deepest: int = DEPTH) -> Any:
    """The content of a JSON document of a log; `place` says which part of the file this is, for the error. Raises Unreadable."""
    try:
        return read_log(raw, keep, deepest)
    except NotStrict as wrong:
        raise Unreadable(str(wrong), place=place, remedy=REMEDY) from None


def read_object(raw: bytes, place: str = "", keep: Keep | None = None, deepest: int = DEPTH) -> dict[str, Any]:
    """The content of a JSON document that must be an object; raises Unreadable."""
    content = read(raw, place, keep, deepest)
    if not isinstance(content, dict):
        raise Unreadable(f"It is a JSON {type(content).__name__}, not an object.", place=place, remedy=REMEDY)
    return content
