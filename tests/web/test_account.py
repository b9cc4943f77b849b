import pytest

from tests.web.conftest import signed_in

pytestmark = pytest.mark.django_db
PATH = "/account/password/"
OLD, NEW = "correct-horse-battery", "a-longer-word-than-before"


def change(client, old=OLD, new=NEW, again=NEW):
    return client.post(PATH, {"old_password": old, "new_password1": new, "new_password2": again})


def test_a_person_changes_the_password_and_stays_signed_in_here_only(lead, ada):
    elsewhere = signed_in(ada)
    assert f'href="{PATH}"' in lead.get("/").content.decode()
    assert "at least 10 characters" in lead.get(PATH).content.decode()
    assert change(lead)["Location"] == "/"
    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert "Your password is changed." in lead.get("/").content.decode()
    assert elsewhere.get("/").status_code == 302


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"old": "guess"}, "This is not your current password."),
        ({"again": "something-else-again"}, "The two new passwords differ."),
        ({"new": "short", "again": "short"}, "This password is too short."),
        ({"new": "password123", "again": "password123"}, "This password is too common."),
        ({"old": ""}, "Enter your current password."),
        ({"new": ""}, "Enter a new password."),
        ({"again": ""}, "Enter the new password a second time."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_changes(lead, ada, wrong, said):
    answer = change(lead, **wrong)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    ada.refresh_from_db()
    assert ada.check_password(OLD)


def test_a_weak_password_is_complained_of_beside_the_field_where_it_was_typed(lead):
    text = change(lead, new="short", again="short").content.decode()
    assert 'id="id_new_password1_error"' in text
    assert 'id="id_new_password2_error"' not in text


def test_who_is_not_signed_in_is_asked_first(client):
    assert client.get(PATH)["Location"] == f"/sign-in/?next={PATH}"
