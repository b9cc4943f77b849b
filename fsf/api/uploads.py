"""Files on their way in: a body or parts of a form, onto the disk where they are large, and never more of them than is taken."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import MemoryFileUploadHandler, TemporaryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from fsf.api.strict_json import TooLarge

RAW = ("application/octet-stream", "application/zip", "application/json", "application/x-ndjson", "application/jsonl")
TEXTS = ("text/csv", "text/tab-separated-values", "text/plain")
FORM = "multipart/form-data"
IN_MEMORY, BLOCK = 1 << 20, 1 << 16  # bytes
LONGEST_FIELD = 65_536  # characters


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way in: its content, and its name where a form gives one."""

    content: IO[bytes]
    name: str = ""

    @property
    def size(self) -> int:
        """In bytes."""
        return self.content.seek(0, os.SEEK_END)


@dataclass(frozen=True, slots=True)
class Body:
    """The file, or the files of a form with its other fields."""

    files: Sequence[Upload]
    fields: Mapping[str, str] = field(default_factory=dict)


class FileParser(BaseParser):
    """Takes the body as the file, onto the disk where it is large; its type says nothing of its format."""

    media_type = "*/*"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        if (media_type or "").partition(";")[0].strip().lower() not in (*RAW, *TEXTS):
            raise UnsupportedMediaType(media_type or "", f"Send the file as {RAW[0]}, or in a form as {FORM}.")
        spool: Any = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed when nobody holds it
        size = 0
        while block := stream.read(BLOCK):
            size += len(block)
            if size > settings.IMPORT_MAX_BYTES:
                raise TooLarge(settings.IMPORT_MAX_BYTES)
            spool.write(block)
        return Body([Upload(spool)])


class FormParser(BaseParser):
    """Takes the files of a form, onto the disk where they are large, and its other fields."""

    media_type = FORM

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        request = (parser_context or {})["request"]
        about = {**request.META, "CONTENT_TYPE": media_type or ""}
        handlers = [MemoryFileUploadHandler(request), TemporaryFileUploadHandler(request)]  # memory for a form that is small as a whole
        try:
            fields, files = MultiPartParser(about, cast("Any", stream), handlers, "utf-8").parse()
        except (MultiPartParserError, SuspiciousOperation) as wrong:
            raise ParseError(f"The form cannot be read: {wrong}") from None
        told = {name: _once(name, fields.getlist(name)) for name in fields}
        return _form({name: files.getlist(name) for name in files}, told)


def _form(parts: dict[str, list[Any]], told: dict[str, str]) -> Body:
    if "mapping" in parts:
        told["mapping"] = _text("mapping", parts.pop("mapping"))
    if [*parts] != ["file"]:
        raise ValidationError({"file": "The form has its file in the part 'file'; several files are as many such parts."})
    return Body([Upload(part.file, part.name or "") for part in parts["file"]], told)


@contextlib.contextmanager
def uploaded(request: Request) -> Iterator[Body]:
    """The files of the body, closed afterwards; raises ValidationError where there is none."""
    body = request.data
    if not isinstance(body, Body):
        raise ValidationError({"file": "There is no file: the body is empty, or was sent without its length."})
    with contextlib.ExitStack() as stack:
        for upload in body.files:
            stack.enter_context(upload.content)
        yield body


def check_size(request: Request) -> None:
    """Raise TooLarge for a body whose declared length is more than is taken, before any of it is read."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length) > settings.IMPORT_MAX_BYTES:
        raise TooLarge(settings.IMPORT_MAX_BYTES)


def _once(name: str, told: Sequence[Any]) -> str:
    if len(told) > 1:
        raise ValidationError({name: "It stands several times; give it once."})
    return str(told[0])


def _text(name: str, files: Sequence[Any]) -> str:
    if len(files) > 1:
        raise ValidationError({name: "It stands several times; give it once."})
    raw = files[0].file.read(4 * LONGEST_FIELD + 1)
    try:
        return cast("str", raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValidationError({name: "It is not UTF-8."}) from None
