"""`python -m evals.importers FILE...` prints the submissions of the files as one JSON array; needs neither server nor database.

Exit 0: all read. 1: a file of a known format cannot be read. 2: a file's format is unknown, or the command is wrong; 2 wins over 1.
What could be read is printed all the same; each reason stands on its own line on the standard error.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from evals.importers import Importer, Options, Unreadable
from evals.importers.registry import Unrecognised, importers, named, read_file
from evals.importers.strict_json import read_object


def main(arguments: Sequence[str] | None = None, out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> int:
    """Read the files and print; the answer is the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        options, importer = _options(asked), named(asked.format) if asked.format else None
    except (Unreadable, Unrecognised, OSError) as wrong:
        err.write(f"{wrong}\n")
        return 2
    code, between = 0, ""
    out.write("[")
    for path in asked.files:
        try:
            for found in _read(path, options, importer):
                out.write(f"{between}\n{json.dumps(found, ensure_ascii=False, allow_nan=False)}")
                between = ","
        except Unrecognised as wrong:
            code = max(code, 2)
            err.write(f"{wrong}\n")
        except (Unreadable, OSError) as wrong:
            code = max(code, 1)
            err.write(f"{wrong}\n")
    out.write("\n]\n")
    return code


def _read(path: Path, options: Options, importer: Importer | None) -> Iterator[dict[str, Any]]:
    with path.open("rb") as content:
        yield from read_file(path.name, content, options, importer)


def _options(asked: argparse.Namespace) -> Options:
    mapping = read_object(asked.mapping.read_bytes(), str(asked.mapping)) if asked.mapping else None
    return Options(
        checkpoint=asked.checkpoint,
        evaluation=asked.evaluation,
        mapping=mapping,
        running=asked.running,
        attested_by=asked.attested_by,
        version=asked.version,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.importers", description="Print the runs in files of evaluation harnesses as JSON."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--checkpoint", default="", help="the checkpoint that was evaluated; otherwise the model the file names")
    parser.add_argument("--evaluation", default="", help="slug@version; otherwise the task and version the file names")
    parser.add_argument("--version", default="", help="version of the evaluation, for files that do not name it")
    parser.add_argument("--attested-by", default="", help="who vouches that the model was elicited properly")
    parser.add_argument("--mapping", type=Path, help="a JSON file that says which column or field is what, for CSV and JSON lines")
    parser.add_argument("--format", default="", metavar="NAME", help="do not recognise; one of: " + ", ".join(i.NAME for i in importers()))
    parser.add_argument("--running", action="store_true", help="unfinished logs are still being written: started, not lost")
    return parser


if __name__ == "__main__":
    sys.exit(main())
