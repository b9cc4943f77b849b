"""Frameworks as files: check them, load drafts, compare versions, publish one, and replay stored results against it."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import User
from accounts.roles import Refused
from fsf.management.commands.load_framework import load_path
from fsf.rehearsing import compare_published, scratch_database
from thresholds import library
from thresholds.backtest import Backtest, backtest, backtest_file, plain, told
from thresholds.library import FrameworkFile, InvalidFramework
from thresholds.library.difference import difference
from thresholds.library.schema import schema_text
from thresholds.models import Framework
from thresholds.publishing import find_framework, publish


class Command(BaseCommand):
    help = "Check, load, compare, replay and publish framework versions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        doings = parser.add_subparsers(dest="doing", required=True, metavar="validate|load|diff|backtest|publish|schema")
        validate = doings.add_parser("validate", help="check files; nothing is stored")
        validate.add_argument("files", nargs="+", type=Path)
        load = doings.add_parser("load", help="store files as drafts; what ships with the product is in force at once")
        load.add_argument("files", nargs="+", type=Path)
        load.add_argument("--author", metavar="USER", help="who drew the lines; another person must approve them")
        diff = doings.add_parser("diff", help="what B says differently from A")
        diff.add_argument("a", help="a file, or the key of a stored version such as gdm-fsf-3.0")
        diff.add_argument("b")
        backtest = doings.add_parser("backtest", help="read every stored result by a version; nothing is stored")
        backtest.add_argument("version", nargs="?", help="a file, or the key of a stored version, draft or published")
        backtest.add_argument(
            "--published",
            action="store_true",
            help="read the published results that ship with the product, apart from what is stored; the same without a version",
        )
        publish = doings.add_parser("publish", help="freeze a draft and put it in force")
        publish.add_argument("key", help="for example orchid-1")
        publish.add_argument("--approver", metavar="USER", required=True, help="not the author")
        publish.add_argument("--digest", required=True, help="of what the approver read, as load, validate and the page show it")
        publish.add_argument("--reason", default="", help="why this version; the reason in the file if not given")
        doings.add_parser("schema", help="print the JSON Schema of a framework file")
        for each in (validate, diff, backtest):
            each.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, options["doing"])(options)
        except (InvalidFramework, Refused) as wrong:
            raise CommandError(str(wrong)) from wrong

    def validate(self, options: dict[str, Any]) -> None:
        checked = [_checked(path) for path in options["files"]]
        if options["json"]:
            self._json(checked)
        else:
            self._tell(line for each in checked for line in _told(each))
        if any(each["faults"] for each in checked):
            sys.exit(1)

    def load(self, options: dict[str, Any]) -> None:
        author = None if options["author"] is None else _person(options["author"])
        for path in options["files"]:
            self.stdout.write(load_path(path, author=author))

    def diff(self, options: dict[str, Any]) -> None:
        changes = difference(_content(options["a"]), _content(options["b"]))
        if options["json"]:
            self._json([change.as_dict() for change in changes])
            return
        for change in changes:
            self.stdout.write(str(change))
        count = f"{len(changes)} change{'s' if len(changes) > 1 else ''}."
        self.stdout.write(count if changes else "They say the same.")

    def backtest(self, options: dict[str, Any]) -> None:
        if options["published"] and options["version"]:
            raise CommandError("--published replays what ships with the product; leave the version out.")
        lines, plain = _published() if options["version"] is None else _told_of(_replayed(options["version"]))
        if options["json"]:
            self._json(plain)
            return
        self._tell(lines)

    def _tell(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)

    def publish(self, options: dict[str, Any]) -> None:
        found, approver = _stored(options["key"]), _person(options["approver"]).as_actor()
        reviewed, reason = options["digest"], options["reason"]
        framework = publish(framework_id=found.pk, reviewed=reviewed, approver=approver, reason=reason, now=timezone.now())
        self.stdout.write(
            f"{framework} ({framework.key}): published, in force from {framework.effective_from}, digest {framework.digest[:12]}"
        )

    def schema(self, options: dict[str, Any]) -> None:
        self.stdout.write(schema_text(), ending="")

    def _json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2))


def _checked(path: Path) -> dict[str, Any]:
    """What checking one file found: its key, digest and size, or its faults."""
    try:
        content = library.read_file(path)
    except InvalidFramework as wrong:
        return {"file": str(path), "faults": [{"line": line, "at": fault.path, "message": str(fault)} for line, fault in wrong.faults]}
    lines = sum(len(level.thresholds) for level in content.levels)
    key, digest = f"{content.framework.slug}-{content.framework.version}", library.file_digest(content)
    return {"file": str(path), "faults": [], "key": key, "digest": digest, "levels": len(content.levels), "lines": lines}


def _told(checked: dict[str, Any]) -> list[str]:
    if not checked["faults"]:
        return ["{file}: in order: {key}, levels {levels}, lines {lines}, digest {digest:.12}".format_map(checked)]
    return [f"{checked['file']}:{at['line'] or ''}{':' if at['line'] else ''} {at['message']}" for at in checked["faults"]]


def _content(name: str) -> FrameworkFile:
    """The content of a file or of a stored version; raises CommandError where there is neither."""
    return library.read_file(Path(name)) if Path(name).is_file() else library.stored_content(_stored(name))


def _replayed(name: str) -> Backtest:
    """All stored results by a file or by a stored version; raises CommandError where there is neither."""
    if Path(name).is_file():
        return backtest_file(content=library.read_file(Path(name)), now=timezone.now())
    return backtest(framework=_stored(name), now=timezone.now())


def _told_of(found: Backtest) -> tuple[list[str], Any]:
    return found.lines(), found.as_dict()


def _published() -> tuple[list[str], Any]:
    """The published results beside what the labs determined; nothing needs to be stored for it."""
    with scratch_database():
        compared = compare_published()
    return told(compared), [plain(each) for each in compared]


def _stored(key: str) -> Framework:
    try:
        return find_framework(key)
    except Framework.DoesNotExist:
        keys = ", ".join(sorted(each.key for each in Framework.objects.only("slug", "version"))) or "none"
        raise CommandError(f"There is no file and no stored version '{key}'; stored are: {keys}.") from None


def _person(username: str) -> User:
    found = User.objects.filter(username=username).first()
    if found is None:
        raise CommandError(f"There is no person '{username}'; add one with manage.py make_person.")
    return found
