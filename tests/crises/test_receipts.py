"""What a pipeline was told is kept once for all runs that were told the same, and is repeated word for word."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from crises.models import Receipt, Said, spoken
from crises.receiving import receive_runs
from crises.response import receive_run
from evals.models import EvalRun
from evals.storing import Posted
from evals.submissions import parse
from tests.conftest import NIGHTLY, run_body

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "aurora")]
FAR = [{"solved": 1, "external_id": str(number)} for number in range(3)]
REACHING = {"solved": 60, "external_id": "reaching"}


def batch(*runs):
    return [run_body(each["solved"], 100, external_id=each["external_id"]) for each in runs]


def receive(bodies, now):
    return receive_runs(posts=[Posted(parse(body), NIGHTLY) for body in bodies], now=now)


def test_runs_that_are_told_the_same_share_their_words(now):
    answers = receive(batch(*FAR, {"solved": 2, "external_id": "other"}, REACHING), now)
    receipts = {receipt.run_id: receipt for receipt in Receipt.objects.select_related("said")}
    assert [receipts[answer.reply["id"]].reply == answer.reply for answer in answers] == [True] * 5
    assert [receipts[answer.reply["id"]].said_id is None for answer in answers] == [False, False, False, True, True]
    assert (Said.objects.count(), EvalRun.objects.get(external_id="0").ref) == (1, answers[0].reply["ref"])


def test_what_is_repeated_gets_the_same_words_by_every_door(pipeline, ada):
    bodies = batch(*FAR, REACHING, FAR[0])
    *told, again = [item["reply"] for item in pipeline.send("runs/batch/", bodies).json()["items"]]
    said = [{**reply, "replayed": True} for reply in told]
    assert again == said[0]
    assert [item["reply"] for item in pipeline.send("runs/batch/", bodies[:-1]).json()["items"]] == said
    assert [pipeline.send("runs/", body).json() for body in bodies[:-1]] == said
    assert [pipeline.get(f"runs/{reply['id']}/").json()["reply"] for reply in told] == told


def test_runs_are_told_the_same_only_by_one_status_completeness_checkpoint_and_reading(sister, now):
    incomplete = run_body(1, 100, external_id="part", coverage={"planned": 200, "completed": 100})
    elsewhere, failed = run_body(1, 100, external_id="there", checkpoint="aurora-2"), run_body(1, 100, external_id="bad", status="error")
    bodies = [*batch(*FAR), *[{**body, "external_id": f"{body['external_id']}-2"} for body in (incomplete, elsewhere, failed)]]
    bodies += [incomplete, elsewhere, failed]
    replies = [answer.reply for answer in receive(bodies, now)]
    for reply, alone in zip(replies, [_alone(body, now) for body in bodies], strict=True):
        assert (reply["status"], reply["complete"], reply["notes"]) == (alone["status"], alone["complete"], alone["notes"])
        assert _read(reply) == _read(alone)
    assert Said.objects.count() == 4


def _alone(body, now):
    """What a single post of the same is told."""
    submission = parse({**body, "external_id": f"alone-{body['external_id']}"})
    return receive_run(submission=submission, actor=NIGHTLY, now=now).reply


def _read(reply):
    names = ("level", "threshold", "checkpoint", "point", "lower", "upper", "grade", "binding", "set_after")
    return [tuple(verdict[name] for name in names) for verdict in reply["verdicts"]]


def test_what_several_were_told_is_never_changed(now):
    receive(batch(*FAR), now)
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        Said.objects.update(words={})
    assert Receipt.objects.select_related("said").first().reply["status"] == "success"


@pytest.mark.parametrize("words", [{"own": None}, {"own": {"id": 1}, "said_id": 1}])
def test_a_receipt_has_words_of_its_own_or_shared_ones(now, words):
    receive(batch(*FAR), now)
    run = Receipt.objects.first().run
    Receipt.objects.all().delete()
    said = Said.objects.get().pk if "said_id" in words else None
    with pytest.raises(IntegrityError), transaction.atomic():
        Receipt.objects.create(run=run, said_id=said, own=words["own"])


@pytest.mark.django_db(transaction=True)
def test_receipts_that_are_there_keep_their_words_when_the_table_changes_and_when_it_changes_back(now):
    told = [answer.reply for answer in receive(batch(*FAR, REACHING), now)]
    call_command("migrate", "crises", "0002", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM crises_receipt WHERE reply IS NOT NULL")
        assert cursor.fetchone() == (4,)
    call_command("migrate", "crises", verbosity=0)
    kept = {receipt.run_id: receipt for receipt in Receipt.objects.all()}
    assert [kept[reply["id"]].reply for reply in told] == told
    assert (Said.objects.count(), spoken(told[0]["id"], {})["ref"]) == (0, told[0]["ref"])
