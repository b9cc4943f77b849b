from io import StringIO

from django.core.management import call_command
from django.utils import timezone


def run():
    out = StringIO()
    call_command("deliver_alerts", stdout=out)
    return out.getvalue()


def test_one_pass_sends_what_is_due_and_says_what_is_left(ada, ben, tell, smtp):
    smtp.refused["ben@example.org"] = "550 5.1.1 no such user"
    tell(ada, ben, now=timezone.now())
    assert run() == "1 of 2 due alerts sent; 1 waiting, 0 given up.\n"


def test_with_nothing_due_it_says_so(db):
    assert run() == "0 of 0 due alerts sent; 0 waiting, 0 given up.\n"
