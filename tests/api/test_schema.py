import json
import os
import re
import shutil

import pytest
from django.conf import settings
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator
from playwright.sync_api import expect

from fsf.api.urls import urlpatterns
from tests.conftest import FIXTURES, run_body

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's event loop runs in this thread
pytestmark = pytest.mark.django_db
OPEN = {"/api/v1/problems/", "/api/v1/problems/{code}/"}
FILES = {"/api/v1/imports/", "/api/v1/runs/batch/"}
UNLISTED = {"schema", "docs"}


@pytest.fixture(scope="module")
def document():
    """The document as it is served."""
    return json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True)))


def operations(document):
    return [(path, method, about) for path, methods in document["paths"].items() for method, about in methods.items()]


def address(pattern):
    return "/api/v1/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: "{" + found[1].replace("pk", "id") + "}", str(pattern))


def expect_as_documented(document, path, method, answer):
    """The answer has the shape that the document gives for its status and media type, and no field beside."""
    content = resolved(document, document["paths"][path][method]["responses"][str(answer.status_code)])["content"]
    schema = {**content[answer["Content-Type"]]["schema"], "components": document["components"]}
    body = answer.json()
    assert [fault.message for fault in Draft202012Validator(schema).iter_errors(body)] == []
    assert body == known(document, schema, body)


def resolved(document, part):
    """What a part of the document says, or what it refers to."""
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    return document["components"][kind][name]


def known(document, schema, body):
    """What is left of a body without the fields that its schema does not name; of several, by the first, which is the whole one."""
    schema = resolved(document, schema["anyOf"][0] if "anyOf" in schema else schema)
    if isinstance(body, list):
        return [known(document, schema["items"], each) for each in body]
    if isinstance(body, dict) and "properties" in schema:
        return {name: known(document, schema["properties"][name], value) for name, value in body.items() if name in schema["properties"]}
    return body


def test_the_document_is_valid_openapi_3_1_without_a_warning(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yaml"))
    assert (tmp_path / "schema.yaml").read_text().startswith("openapi: 3.1.0\n")


def test_every_mounted_address_is_in_the_document_and_no_other(document):
    assert set(document["paths"]) == {address(each.pattern) for each in urlpatterns if each.name not in UNLISTED}


def test_every_operation_but_the_error_codes_needs_a_token(document):
    scheme = document["components"]["securitySchemes"]["token"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert {path for path, _, about in operations(document) if about.get("security") != [{"token": []}]} == OPEN


def test_every_posted_body_is_json_and_every_refusal_a_problem(document):
    for path, method, about in operations(document):
        kinds = set(about.get("requestBody", {"content": {}})["content"])
        assert ("application/json" in kinds) == (method == "post"), path
        assert path in FILES or kinds <= {"application/json"}
        refusals = {
            status: list(resolved(document, answer)["content"]) for status, answer in about["responses"].items() if int(status) >= 400
        }
        assert all(kinds == ["application/problem+json"] for kinds in refusals.values()), path
        assert method != "post" or "400" in refusals


def test_filters_and_paging_are_documented(document):
    names = {
        path: {each["name"] for each in about.get("parameters", []) if "name" in each}
        for path, method, about in operations(document)
        if method == "get"
    }
    every = {"cursor", "limit", "ordering", "fields"}
    runs = {"checkpoint", "model", "evaluation", "status", "producer", "external_id", "complete", "since", "until"}
    assert names["/api/v1/runs/"] == runs | every
    assert names["/api/v1/statuses/"] == {"checkpoint", "model", "level", "framework", "state"} | every
    assert names["/api/v1/coverage/"] == {"checkpoint", "level", "state"} | every
    assert names["/api/v1/runs/{id}/"] == {"id", "fields"}
    assert names["/api/v1/gate/"] == {"checkpoint", "stage"}


def test_what_is_read_has_the_documented_shape(document, pipeline, grow):
    grow(1)
    pipeline.send(
        "determinations/",
        {"checkpoint": "model-1-1", "level": "lab-1-1.0.uplift", "status": "below", "stated": "2025-11-02", "source": "s"},
    )
    numbers = {"id": {path: pipeline.get(path).json()["results"][0]["id"] for path in ("runs/", "crises/", "assessments/")}}
    named = {"slug": "model-1-1", "key": "lab-1-1.0.uplift", "framework": "lab-1-1.0", "evaluation": "ctf-1@1", "code": "invalid"}
    query = {"gate/": {"checkpoint": "model-1-1", "stage": "external"}}
    read = [path.removeprefix("/api/v1/") for path, method, _ in operations(document) if method == "get"]
    for path in read:
        where = path.format(**named, id=numbers["id"].get(path.partition("{")[0]))
        answer = pipeline.get(where, **query.get(path, {}))
        assert answer.status_code == 200, where
        expect_as_documented(document, f"/api/v1/{path}", "get", answer)


POSTED = [
    ("models/", {"slug": "b", "name": "B", "developer": "Northwind"}),
    ("checkpoints/", {"slug": "aurora-2", "name": "Aurora 2", "model": "aurora", "effective_compute": 3e25, "trained": "2025-05-01"}),
    ("evaluations/", {"slug": "e", "version": "1", "name": "E", "unit": "points", "direction": "higher", "n_tasks": 3}),
    ("runs/", run_body(3, 12)),
    ("runs/", run_body(external_id="2", status="error")),
    ("runs/", run_body(5, 12, external_id="2", evaluation="other")),
    ("runs/", {}),
    ("determinations/", {"checkpoint": "aurora-1", "level": "small-1.0.uplift", "status": "below", "stated": "2025-11-02", "source": "s"}),
    ("gate/", {"checkpoint": "aurora-1", "stage": "external"}),
    ("gate/", {"checkpoint": "none", "stage": "external"}),
    ("frameworks/backtest/", {"content": (FIXTURES / "small-1.0.yaml").read_text()}),
    ("frameworks/backtest/", {"content": "levels: none"}),
]


@pytest.mark.usefixtures("small", "aurora", "ada")
@pytest.mark.parametrize(("path", "body"), POSTED)
def test_what_is_posted_is_answered_in_the_documented_shape(document, pipeline, path, body):
    pipeline.run(0, 40, external_id="before")
    expect_as_documented(document, f"/api/v1/{path}", "post", pipeline.send(path, body))


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"supersedes": 12}, True),
        ({"supersedes": "R-12"}, True),
        ({"supersedes": None}, True),
        ({"supersedes": 1.5}, False),
        ({"status": "done"}, False),
        ({"measurements": "all"}, False),
        ({"producer": {}}, False),
    ],
)
def test_the_document_tells_a_good_run_from_a_bad_one(document, changes, fits):
    schema = {"$ref": "#/components/schemas/RunBodyRequest", "components": document["components"]}
    assert Draft202012Validator(schema).is_valid({**run_body(3, 12), **changes}) is fits


def test_the_committed_document_is_the_one_that_is_served(document):
    """To remake it: manage.py spectacular --format openapi-json --file docs/openapi.json."""
    assert json.loads((settings.BASE_DIR / "docs" / "openapi.json").read_text()) == document


def test_every_operation_says_what_it_does_with_an_example(document):
    for path, method, about in operations(document):
        where = f"{method} {path}"
        assert about.get("description"), where
        bodies = about.get("requestBody", {}).get("content", {})
        assert not bodies or any("examples" in content for content in bodies.values()), where
        done = [answer for status, answer in about["responses"].items() if status.startswith("2")]
        assert any("example" in content for answer in done for content in answer["content"].values()), where


def test_every_example_has_the_documented_shape(document):
    parts = [
        (path, content["schema"], example)
        for path, _, about in operations(document)
        for content in about.get("requestBody", {}).get("content", {}).values()
        for example in [each["value"] for each in content.get("examples", {}).values()]
    ]
    parts += [
        (path, content["schema"], content["example"])
        for path, _, about in operations(document)
        for answer in about["responses"].values()
        for content in answer.get("content", {}).values()
        if "example" in content
    ]
    assert len(parts) > 50
    for path, schema, example in parts:
        validator = Draft202012Validator({**schema, "components": document["components"]})
        assert [fault.message for fault in validator.iter_errors(example)] == [], path


def test_every_operation_says_what_all_have_in_common(document):
    for path, method, about in operations(document):
        referred = {each["$ref"].rpartition("/")[2] for each in about["parameters"] if "$ref" in each}
        assert referred == {"X-Request-ID", "If-None-Match" if method == "get" else "Idempotency-Key"}, path
        wanted = {"400", "406", "429", "503"} | ({"304"} if method == "get" else {"409", "413", "415", "422"})
        assert about["responses"].keys() >= wanted, path
        assert all("X-Request-ID" in resolved(document, answer)["headers"] for answer in about["responses"].values()), path


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_the_document_is_served_in_both_forms(client, form):
    answer = client.get("/api/v1/schema/", {"format": form})
    assert answer.status_code == 200
    assert b"3.1.0" in answer.content
    assert json.loads(answer.content)["openapi"] == "3.1.0" if form == "json" else answer.content.startswith(b"openapi: 3.1.0")


def policy(answer):
    return dict(directive.strip().split(" ", 1) for directive in answer["Content-Security-Policy"].split(";"))


def test_the_docs_page_widens_the_policy_for_drawn_images_only(client):
    docs, others = policy(client.get("/api/v1/docs/")), policy(client.get("/sign-in/"))
    assert docs == {**others, "img-src": "'self' data:"}
    assert docs["default-src"] == others["default-src"] == "'self'"
    assert "script-src" not in docs
    assert "style-src" not in docs


def test_the_docs_page_is_made_of_our_own_files_only(client):
    page = client.get("/api/v1/docs/").content.decode()
    wanted = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(wanted) >= 6
    for where in wanted:
        assert re.match(r"/(?!/)", where), where
        answer = client.get(where.replace("&amp;", "&"))
        answer.close()
        assert answer.status_code in {200, 302}, where
    assert not re.search(r"<script>|<style|style=|\son\w+=|https?://", page)


def test_the_docs_script_asks_for_nothing_but_the_schema(client):
    page = client.get("/api/v1/docs/").content.decode()
    (where,) = re.findall(r'<script src="(/api/[^"]+)"', page)
    script = client.get(where)
    assert script["Content-Type"].partition(";")[0] in {"application/javascript", "text/javascript"}
    assert "/api/v1/schema/" in script.content.decode().replace("\\u002D", "-")
    assert not re.search(r"https?://|\beval\(", script.content.decode())


@pytest.mark.chromium
@pytest.mark.django_db(transaction=True)
def test_the_docs_page_works_in_a_browser_without_another_host(live_server, playwright):
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
    page, asked, complaints = browser.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{live_server.url}/api/v1/docs/")
    expect(page.locator("#operations-runs-runs_create")).to_be_visible(timeout=20_000)
    page.locator("#operations-runs-runs_create button").first.click()
    expect(page.get_by_text("Store a run, judge it").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    browser.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((live_server.url, "data:", "blob:"))] == []
