import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crises.models import Crisis, Update
from mitigations.models import ChecklistItem, Evidence, SignOff

pytestmark = pytest.mark.django_db
PROOF = {"summary": "Recall 0.95 at 1 % of benign traffic.", "link": "https://evidence.example.org/1", "sha256": ""}


def page(client, crisis):
    return client.get(f"/crises/{crisis.pk}/").content.decode()


def post(client, crisis, action, data=None, *, item=None):
    where = f"items/{item.pk}/{action}" if item else action
    return client.post(f"/crises/{crisis.pk}/{where}/", data or {}, follow=True)


def said(answer):
    return [str(message) for message in answer.context["messages"]]


def reload(crisis):
    return Crisis.objects.get(pk=crisis.pk)


def queries(client, path):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def test_the_list_shows_open_and_closed_crises(lead, crisis):
    text = lead.get("/crises/").content.decode()
    assert crisis.ref in text
    assert "No crisis has been closed yet." in text


def test_the_page_tells_what_happened_and_what_is_to_be_done(lead, crisis, item):
    text = page(lead, crisis)
    assert "Aurora 1 reached the alert line of" in text
    assert item.what in text
    assert item.evidence_asked in text
    assert "0 of 1 ready" in text


def test_looking_changes_nothing(lead, crisis, item):
    before = Update.objects.count()
    for action in ("acknowledge", "start", "update"):
        assert lead.get(f"/crises/{crisis.pk}/{action}/").status_code == 405
    assert lead.get(f"/crises/{crisis.pk}/items/{item.pk}/sign-off/").status_code == 405
    page(lead, crisis)
    assert (reload(crisis).state, Update.objects.count()) == ("opened", before)


def test_acknowledging_makes_a_lead_and_offers_the_next_step(lead, ada, crisis):
    assert "Acknowledge</button>" in page(lead, crisis)
    answer = post(lead, crisis, "acknowledge")
    assert answer.redirect_chain == [(f"/crises/{crisis.pk}/", 302)]
    assert (reload(crisis).state, reload(crisis).lead) == ("acknowledged", ada)
    assert "Start mitigation</button>" in answer.content.decode()
    assert "Acknowledge</button>" not in answer.content.decode()


def test_what_is_not_possible_is_refused_in_words(lead, crisis):
    assert said(post(lead, crisis, "ready")) == ["A crisis that is opened cannot be declared ready; possible now: acknowledge, escalate."]


def test_an_auditor_looks_and_does_nothing(auditor, crisis, item):
    text = page(auditor, crisis)
    assert "<button" in text.split("</header>")[0]  # signing out is all there is
    assert "/acknowledge/" not in text
    assert "/evidence/" not in text
    assert "may not do" in said(post(auditor, crisis, "acknowledge"))[0]
    assert reload(crisis).state == "opened"


def test_an_update_is_posted_and_an_empty_one_comes_back_with_the_error(outsider, crisis):
    assert said(post(outsider, crisis, "update", {"text": "Classifier is live."})) == ["The update is on the timeline."]
    assert Update.objects.filter(kind="note", author="Dan Member", text="Classifier is live.").exists()
    answer = post(outsider, crisis, "update", {"text": " "})
    assert answer.status_code == 422
    assert "Write what changed before you post it." in answer.content.decode()


def test_what_people_write_is_never_markup(lead, crisis):
    post(lead, crisis, "update", {"text": "<script>alert(1)</script>"})
    assert "<script>alert(1)" not in page(lead, crisis)


def test_evidence_is_attached_and_signed_by_another_person(lead, engineer, ada, crisis, item):
    post(engineer, crisis, "evidence", PROOF, item=item)
    assert Evidence.objects.get().attached_by.username == "ben"
    answer = post(lead, crisis, "sign-off", {"note": "Read the report."}, item=item)
    assert said(answer) == ["Signed off."]
    signed = SignOff.objects.get()
    assert (signed.done_by, signed.signed_by, signed.note) == (Evidence.objects.get().attached_by, ada, "Read the report.")
    assert "Done by Ben Eval, signed by Ada Safety" in answer.content.decode()
    assert "1 of 1 ready" in answer.content.decode()


def test_whoever_did_the_item_is_not_offered_the_sign_off_and_is_refused(engineer, crisis, item):
    post(engineer, crisis, "evidence", PROOF, item=item)
    text = page(engineer, crisis)
    assert f"/items/{item.pk}/sign-off/" not in text
    assert "Another person must sign it off." in text
    assert said(post(engineer, crisis, "sign-off", item=item)) == [f"Ben Eval did '{item.what}'; another person must sign it off."]
    assert SignOff.objects.count() == 0


def test_signing_off_before_there_is_evidence_is_refused(lead, crisis, item):
    assert f"/items/{item.pk}/sign-off/" not in page(lead, crisis)
    assert "has no evidence yet" in said(post(lead, crisis, "sign-off", item=item))[0]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"summary": ""}, "Say in a sentence what the evidence shows."),
        ({"link": "javascript:alert(1)"}, "The link is not a full web address"),
        ({"sha256": "abc"}, "A SHA-256 is 64 hexadecimal digits"),
    ],
)
def test_wrong_evidence_comes_back_open_with_the_error_beside_the_field(lead, crisis, item, wrong, error):
    answer = post(lead, crisis, "evidence", {**PROOF, **wrong}, item=item)
    assert answer.status_code == 422
    assert error in answer.content.decode()
    assert "<details open>" in answer.content.decode()
    assert Evidence.objects.count() == 0


def test_an_owner_is_set(lead, ben, crisis, item):
    answer = post(lead, crisis, "owner", {"owner": ben.pk}, item=item)
    assert said(answer) == ["The owner is set."]
    assert ChecklistItem.objects.get().owner == ben
    assert post(lead, crisis, "owner", {"owner": ""}, item=item).status_code == 422


def test_an_item_of_another_crisis_is_not_found(lead, crisis, item):
    assert lead.post(f"/crises/{crisis.pk + 1}/items/{item.pk}/owner/").status_code == 404
    assert lead.post(f"/crises/{crisis.pk}/items/{item.pk}/no-such/").status_code == 404
    assert lead.post(f"/crises/{crisis.pk}/no-such/").status_code == 404


def test_the_whole_way_from_opened_to_closed_and_back(lead, engineer, crisis, item):
    for action in ("acknowledge", "start"):
        post(lead, crisis, action)
    assert f"'{item.what}' needs evidence." in said(post(lead, crisis, "ready"))[0]
    post(engineer, crisis, "evidence", PROOF, item=item)
    post(lead, crisis, "sign-off", item=item)
    assert said(post(lead, crisis, "ready")) == ["The plan is declared ready."]
    assert post(lead, crisis, "close", {"reason": ""}).status_code == 422
    assert said(post(lead, crisis, "close", {"reason": "Classifier holds."})) == ["The crisis is closed."]
    assert f"/items/{item.pk}/evidence/" not in page(lead, crisis)
    assert said(post(lead, crisis, "reopen", {"reason": "It does not."})) == ["The crisis is open again."]
    assert reload(crisis).state == "mitigating"


def test_escalating_asks_for_the_reason_and_counts(lead, crisis):
    assert said(post(lead, crisis, "escalate", {"reason": "Legal is late."})) == ["Escalated. The people concerned are being told."]
    assert reload(crisis).escalations == 1


def test_an_overdue_item_is_marked(lead, crisis, now):
    ChecklistItem.objects.update(due=now.date() - dt.timedelta(days=1))
    text = page(lead, crisis)
    assert "Overdue" in text
    assert "1 overdue" in text


def test_a_late_acknowledgement_is_said_at_the_top(lead, crisis, now):
    Crisis.objects.update(acknowledge_by=now - dt.timedelta(minutes=5))
    assert "Nobody has acknowledged this crisis." in page(lead, crisis)


def test_the_number_of_queries_does_not_depend_on_the_items(lead, engineer, ben, crisis, item):
    path = f"/crises/{crisis.pk}/"
    post(engineer, crisis, "evidence", PROOF, item=item)
    one = queries(lead, path)
    for number in range(3):
        ChecklistItem.objects.create(
            checklist=crisis.checklist,
            position=number,
            slug=f"more-{number}",
            what="More",
            kind="access",
            why="",
            evidence_asked="",
            days=1,
            applies_to="alert",
            due=dt.date(2030, 1, 1),
            owner=ben,
        )
    assert queries(lead, path) == one


def test_the_number_of_queries_does_not_depend_on_the_crises(lead, pipeline, crisis, more_models):
    one, overview = queries(lead, "/crises/"), queries(lead, "/")
    for status in more_models(2):
        pipeline.run(4, 12, external_id=status.checkpoint.slug, checkpoint=status.checkpoint.slug)
    assert Crisis.objects.count() == 3
    assert (queries(lead, "/crises/"), queries(lead, "/")) == (one, overview)
