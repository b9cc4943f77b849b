import datetime as dt
import email
import email.policy
import stat

import pytest
from django.core.mail import EmailMessage

from alerts.channels.eml import EmlBackend
from alerts.delivery import deliver_waiting
from alerts.models import Alert


@pytest.fixture
def folder(settings, tmp_path):
    settings.EMAIL_BACKEND = "alerts.channels.eml.EmlBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "var" / "mail"
    return settings.EMAIL_FILE_PATH


def test_every_mail_is_one_file_that_parses(ada, ben, tell, folder, now):
    tell(ada, ben)
    assert deliver_waiting(clock=lambda: now) == (2, 2)
    files = sorted(folder.iterdir())
    keys = Alert.objects.order_by("pk").values_list("pk", flat=True)
    assert [file.name for file in files] == [
        f"20261116T140200Z-{name}@example.org-crisis.4.{key}@fsf.example.org.eml" for name, key in zip(["ada", "ben"], keys, strict=True)
    ]
    mail = email.message_from_bytes(files[0].read_bytes(), policy=email.policy.default)
    assert mail["Subject"] == "[ALERT] Cyber Uplift 1, Aurora 3 Pro: 0.71 (alert 0.60)"
    assert mail.defects == []
    assert [body.get_content_type() for body in mail.iter_parts()] == ["text/plain", "text/html"]


def test_only_its_owner_reads_the_folder(ada, tell, folder, now):
    tell(ada)
    deliver_waiting(clock=lambda: now)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600]


def test_a_mail_sent_again_replaces_its_own_file(ada, tell, folder, now):
    tell(ada)
    deliver_waiting(clock=lambda: now)
    Alert.objects.update(state=Alert.QUEUED, next_try=now)
    assert deliver_waiting(clock=lambda: now + dt.timedelta(minutes=5)) == (1, 1)
    assert len(list(folder.iterdir())) == 1


def test_an_address_cannot_lead_out_of_the_folder(folder):
    EmailMessage("s", "b", to=["../../../x/y@example.org"], headers={"Message-ID": "</etc/" + "z" * 400 + "@h>"}).send()
    (file,) = folder.iterdir()
    assert "/" not in file.name
    assert len(file.name) < 255


def test_a_mail_to_nobody_is_not_counted_as_sent(folder):
    assert EmlBackend().send_messages([EmailMessage("s", "b")]) == 0
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_failure_and_leaves_no_half_file(ada, tell, folder, now):
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")
    tell(ada)
    assert deliver_waiting(clock=lambda: now) == (0, 1)
    assert Alert.objects.get().state == "queued"
