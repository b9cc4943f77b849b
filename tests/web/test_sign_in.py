import pytest

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"


@pytest.mark.parametrize("path", ["/", "/levels/", "/levels/small-1.0.uplift/", "/crises/", "/crises/1/"])
def test_a_page_asks_who_is_there_first_and_comes_back(client, ada, path):
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/sign-in/?next={path}")
    answer = client.post(answer["Location"], {"username": "ada", "password": PASSWORD, "next": path})
    assert answer["Location"] == path


def test_a_wrong_password_is_said_clearly(client, ada):
    answer = client.post("/sign-in/", {"username": "ada", "password": "wrong"})
    assert answer.status_code == 200
    assert "That name and password do not belong together." in answer.content.decode()


def test_an_address_elsewhere_is_not_followed(client, ada):
    answer = client.post("/sign-in/", {"username": "ada", "password": PASSWORD, "next": "https://elsewhere.example.org/"})
    assert answer["Location"] == "/"


def test_signing_out_takes_a_post(lead):
    assert lead.get("/sign-out/").status_code == 405
    assert lead.post("/sign-out/")["Location"] == "/sign-in/"
    assert lead.get("/").status_code == 302


def test_a_strict_policy_is_sent_with_every_page(client):
    policy = client.get("/sign-in/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
