"""The mail backend of the embedded default: every mail is one .eml file that any mail program opens."""

import os
import re
import tempfile
from collections.abc import Sequence
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class EmlBackend(BaseEmailBackend):
    """Writes each mail whole or not at all into EMAIL_FILE_PATH; a mail sent again replaces its own file."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write the mails that have a recipient and return how many; OSError where the folder cannot be written."""
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        addressed = [mail for mail in email_messages if mail.recipients()]
        for mail in addressed:
            built = mail.message()
            _write(folder / file_name(built), built.as_bytes())
        return len(addressed)


def file_name(mail: Message) -> str:
    """`20261116T140200Z-ada@example.org-crisis.4.7@fsf.example.org.eml`: date, recipient and Message-ID, safe characters only."""
    date = parsedate_to_datetime(str(mail["Date"]))
    named = f"{mail['To']}-{str(mail['Message-ID']).strip('<>')}"
    return f"{date:%Y%m%dT%H%M%SZ}-{re.sub(r'[^A-Za-z0-9.@+-]+', '_', named)[:200]}.eml"


def _write(path: Path, content: bytes) -> None:
    """Put the file in place in one step, on disk before it has its name."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
