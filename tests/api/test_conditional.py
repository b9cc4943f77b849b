import pytest

pytestmark = pytest.mark.django_db
READS = ["models/", "runs/", "levels/small-1.0.uplift/", "problems/", "problems/invalid/"]


def ask(pipeline, path, method="get", **headers):
    return getattr(pipeline.client, method)(f"/api/v1/{path}", headers={**pipeline._headers(), **headers})


@pytest.mark.usefixtures("small", "aurora")
@pytest.mark.parametrize("path", READS)
def test_what_the_caller_has_already_is_not_sent_again(pipeline, path):
    first = ask(pipeline, path)
    assert (first.status_code, first["Cache-Control"], first["ETag"][:3]) == (200, "private, no-cache", 'W/"')
    strong = first["ETag"].removeprefix("W/")
    for known in (first["ETag"], strong, f'"x", {first["ETag"]}', "*"):
        again = ask(pipeline, path, **{"if-none-match": known})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert (again["Cache-Control"], "X-Request-ID" in again) == ("private, no-cache", True)
    assert ask(pipeline, path, "head", **{"if-none-match": first["ETag"]}).status_code == 304


@pytest.mark.parametrize("known", ["", "x", '"x"', 'W/"x"', '"', "ü"])
def test_what_the_caller_does_not_have_is_sent(pipeline, known):
    assert ask(pipeline, "models/", **{"if-none-match": known}).status_code == 200


def test_a_list_that_grew_is_sent_anew(pipeline):
    before = ask(pipeline, "models/")
    pipeline.send("models/", {"slug": "m", "name": "M", "developer": "Northwind"})
    after = ask(pipeline, "models/", **{"if-none-match": before["ETag"]})
    assert (after.status_code, len(after.json()["results"])) == (200, 1)
    assert after["ETag"] != before["ETag"]


@pytest.mark.usefixtures("small", "aurora")
def test_what_was_done_what_was_refused_and_what_holds_only_now_is_not_to_be_stored(pipeline):
    answers = [
        pipeline.send("models/", {"slug": "m", "name": "M", "developer": "Northwind"}),
        pipeline.send("models/", {}),
        ask(pipeline, "runs/9/", **{"if-none-match": "*"}),
        ask(pipeline, "none/"),
        ask(pipeline, "gate/?checkpoint=aurora-1&stage=external", **{"if-none-match": "*"}),
        pipeline.client.get("/healthz"),
        pipeline.client.get("/readyz"),
    ]
    assert [answer.status_code for answer in answers] == [201, 400, 404, 404, 200, 200, 200]
    assert {(answer["Cache-Control"], answer.get("ETag")) for answer in answers} == {("no-store", None)}
