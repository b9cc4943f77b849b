import msgspec
import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mitigations.drafting import load_draft
from tests.conftest import small_file
from thresholds.models import Framework, LevelStatus

pytestmark = pytest.mark.django_db
PATH = "/frameworks/small-2.0/"


def again(version="2.0", alert=0.3, **about):
    """The small framework in another version with another alert line."""
    plain = msgspec.to_builtins(small_file())
    plain["framework"] |= {"version": version, "reason": "A larger suite.", **about}
    plain["levels"][0]["thresholds"][0]["value"] = alert
    return plain


@pytest.fixture
def draft(small, ben, now):
    return load_draft(msgspec.convert(again(), type(small_file())), now=now, author=ben)[0]


def page(client, path=PATH):
    return client.get(path).content.decode()


def queries(client, path=PATH):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def upload(client, text, **files):
    return client.post("/frameworks/new/", {"text": text, **files})


def test_a_version_says_who_stands_for_it_and_what_it_draws(auditor, small):
    text = page(auditor, "/frameworks/small-1.0/")
    assert "Alert \u2265 0.20" in text
    assert "shipped with the product" in text
    assert small.digest in text
    assert "Approve and publish" not in text


def test_what_is_not_published_and_when_evaluations_are_due_is_said(auditor, enact):
    rules = [
        {"trigger": "effective_compute", "multiple": 4, "source": "section 2"},
        {
            "trigger": "calendar",
            "days": 90,
            "levels": ["uplift"],
            "source": "section 3",
            "illustrative": True,
            "reason": "No day is given.",
        },
    ]
    enact(cadence=rules, unpublished=["How often an attempt is made."])
    text = page(auditor, "/frameworks/small-1.0/")
    assert "Again once effective compute is 4 times that of the checkpoint evaluated last." in text
    assert "Again every 90 days, for uplift." in text
    assert "illustrative rule" in text
    assert "How often an attempt is made." in text


def test_an_unknown_version_is_not_found(auditor, small):
    assert auditor.get("/frameworks/small-9/").status_code == 404


def test_a_draft_shows_what_would_change_and_counts_for_nothing(lead, draft):
    text = page(lead)
    assert "What would change" in text
    assert "harder to reach" in text
    assert "it judges nothing" in text
    assert '<span class="ill">draft</span>' in page(lead, "/levels/")
    assert "judges nothing" in page(lead, "/levels/")


def test_a_lead_who_is_not_its_author_publishes_it_with_a_reason(lead, ada, ben, draft):
    assert "Approve and publish" in page(lead)
    answer = lead.post(f"{PATH}publish/", {"reason": "Checked against the paper.", "reviewed": draft.digest})
    assert (answer.status_code, answer["Location"]) == (302, PATH)
    draft.refresh_from_db()
    assert (draft.state, draft.author, draft.approver, draft.reason) == ("published", ben, ada, "Checked against the paper.")
    text = page(lead)
    assert "What changed" in text
    assert "Approved by" in text
    assert "followed by 2.0" not in text


def test_a_draft_that_changed_since_it_was_read_comes_back_as_it_is_now(lead, draft):
    answer = lead.post(f"{PATH}publish/", {"reason": "Read yesterday.", "reviewed": "0" * 64})
    assert answer.status_code == 422
    assert "is not what was reviewed" in answer.content.decode()
    assert f'name="reviewed" value="{draft.digest}"' in answer.content.decode()
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_the_author_is_told_that_another_must_approve(lead, ada, small, now):
    load_draft(msgspec.convert(again(), type(small_file())), now=now, author=ada)
    assert "another safety lead must approve" in page(lead)
    answer = lead.post(f"{PATH}publish/", {"reason": "Mine."})
    assert answer.status_code == 422
    assert "another person must approve it" in answer.content.decode()
    assert Framework.objects.get(version="2.0").state == "draft"


def test_a_publication_without_a_reason_comes_back(lead, draft):
    answer = lead.post(f"{PATH}publish/", {"reason": " "})
    assert answer.status_code == 422
    assert "Say why" in answer.content.decode()


@pytest.mark.parametrize("reader", ["engineer", "auditor", "outsider"])
def test_others_are_neither_offered_nor_allowed_to_publish(request, reader, draft):
    client = request.getfixturevalue(reader)
    assert "Approve and publish" not in page(client)
    answer = client.post(f"{PATH}publish/", {"reason": "Why not?"})
    assert answer.status_code == 422
    assert "may not do" in answer.content.decode()
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_what_is_published_is_not_published_again(lead, small):
    answer = lead.post("/frameworks/small-1.0/publish/", {"reason": "Once more."})
    assert answer.status_code == 422
    assert "a changed framework needs a new version" in answer.content.decode()


def test_an_engineer_uploads_a_draft_in_his_own_name_with_its_measures(engineer, ben, small):
    answer = upload(engineer, yaml.safe_dump(again()))
    assert answer["Location"] == PATH
    found = Framework.objects.get(version="2.0")
    assert (found.state, found.author, found.origin) == ("draft", ben, "file")
    assert found.levels.get().mitigations.count() == 2
    assert "Ben Eval wrote it" not in page(engineer)
    assert "You wrote it" in page(engineer)


def test_a_file_is_as_good_as_its_text(engineer, small):
    file = SimpleUploadedFile("mine.yaml", yaml.safe_dump(again()).encode())
    assert upload(engineer, "", file=file)["Location"] == PATH


def test_every_fault_is_listed_with_its_line_and_the_text_stays(engineer, small):
    text = "framework:\n  slug: mine\n  vershun: 1\nlevels: []\ndomains: []\n"
    answer = upload(engineer, text)
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "Line 3:" in shown
    assert "is &#x27;version&#x27; meant?" in shown
    assert "vershun: 1" in shown.split("<textarea")[1]
    assert Framework.objects.count() == 1


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 300_000])
def test_a_file_that_cannot_be_one_is_refused(engineer, content):
    answer = upload(engineer, "", file=SimpleUploadedFile("mine.yaml", content))
    assert answer.status_code == 422
    assert "mine.yaml" in answer.content.decode()


def test_nothing_at_all_is_asked_for(engineer):
    assert "Choose a file, or paste its text." in upload(engineer, "").content.decode()


def test_a_published_version_is_not_replaced_by_an_upload(engineer, small):
    answer = upload(engineer, yaml.safe_dump(again("1.0")))
    assert answer.status_code == 422
    assert "give the file a new version" in answer.content.decode()


@pytest.mark.parametrize("reader", ["auditor", "outsider"])
def test_others_may_not_upload(request, reader, small):
    client = request.getfixturevalue(reader)
    assert client.get("/frameworks/new/").status_code == 403
    assert upload(client, yaml.safe_dump(again())).status_code == 403
    assert Framework.objects.count() == 1


def test_the_number_of_queries_does_not_depend_on_the_levels(lead, enact):
    enact()
    one = queries(lead, "/frameworks/small-1.0/")
    enact(version="2.0", levels=[{"slug": slug, "name": slug} for slug in ("a", "b", "c")])
    assert queries(lead) <= one + 1  # the version before is read for the difference
    assert not LevelStatus.objects.exists()
