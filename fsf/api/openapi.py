"""What the OpenAPI document says of every operation: the token, the headers, the refusals that any may answer, the examples."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from evals.submissions import Submission
from fsf.api import fields
from fsf.api.fields import Sparse
from fsf.api.idempotency import MOST
from fsf.api.problems import CODES, MEDIA_TYPE
from thresholds.library.shape import EvaluationEntry

EXAMPLES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "examples.json").read_text())
METHODS = {"get", "post", "put", "patch", "delete"}
ALWAYS = (400, 406, 429, 500, 503)
PROBLEM = {"$ref": "#/components/schemas/ProblemShape"}
COLUMNS = {2**15 - 1, 2**31 - 1, 2**63 - 1}
SITE = "https://fsf.example.org"
Operation = dict[str, Any]


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """HTTP bearer, as RFC 6750 has it."""

    target_class = "fsf.api.authentication.BearerToken"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """The security scheme object."""
        return {"type": "http", "scheme": "bearer", "description": "fsf_..."}


class Described(AutoSchema):
    """Knows the parameters that a view has without naming them."""

    def get_override_parameters(self) -> list[Any]:
        """Those of a view of one row."""
        sparse = isinstance(self.view, Sparse) and self.method == "GET"
        its = fields.schema(self.view) if sparse else {}
        found = OpenApiParameter(fields.PARAMETER, its, description=fields.ABOUT, style="form", explode=False)
        return [*super().get_override_parameters(), *([found] if sparse else [])]

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Whatever is read page by page is a list, also where the view reads its pages itself."""
        paged = getattr(self.view, "pagination_class", None) is not None and "{" not in self.path and self.method == "GET"
        return paged or bool(super()._is_list_view(serializer))


def _text(about: str, **schema: Any) -> dict[str, Any]:
    return {"description": about, "schema": {"type": "string", **schema}}


HEADERS = {
    "X-Request-ID": _text("of the request: the caller's own, or one that was made"),
    "Cache-Control": _text("no-store, or private, no-cache for what can be asked again with If-None-Match"),
    "ETag": _text("for If-None-Match"),
    "Location": _text("address of what was stored, or of what stands in the way"),
    "Retry-After": _text("seconds to wait before the same is sent again", pattern="^[0-9]+$"),
    "WWW-Authenticate": _text("Bearer"),
    "Idempotent-Replayed": _text("true where the request was answered before under its Idempotency-Key"),
    "RateLimit": _text("what is left of the limit, and for how many seconds"),
    "RateLimit-Policy": _text("the limit and its window in seconds"),
}
ON_ALL = ("X-Request-ID", "Cache-Control", "RateLimit", "RateLimit-Policy")
ON_STATUS = {401: ("WWW-Authenticate",), 409: ("Retry-After", "Location"), 429: ("Retry-After",), 503: ("Retry-After",)}
KEY = f'^("[ !#-\\[\\]-~]{{1,{MOST}}}"|[A-Za-z0-9!#$%&\'*+.^_`|~:/=-]{{1,{MOST}}})$'
DESCRIPTIONS = {
    "models_list": "Models, in the order in which they were registered.",
    "checkpoints_list": "Checkpoints, in the order in which they were registered.",
    "checkpoints_retrieve": "One checkpoint, by its slug.",
    "evaluations_list": "Evaluations by version, with what was found out about them since.",
    "frameworks_list": "Framework versions, drafts too, with the keys of their levels.",
    "levels_list": "Levels of every framework version, with their lines.",
    "levels_retrieve": "One level with its lines, by its key.",
    "crises_list": "Crises, newest first. People acknowledge and close them; a token never can.",
    "crises_retrieve": "One crisis.",
}
LINKS = {
    "runs_create": {
        "ReadRun": ("runs_retrieve", "id", "id"),
        "Beat": ("runs_heartbeat", "id", "id"),
        "Finish": ("runs_finish", "id", "id"),
    },
    "checkpoints_create": {"ReadCheckpoint": ("checkpoints_retrieve", "slug", "slug")},
    "evaluations_create": {"ReadEvaluation": ("evaluations_retrieve", "evaluation", "key")},
    "tokens_create": {"Rotate": ("tokens_rotate_create", "key", "key"), "Revoke": ("tokens_revoke_create", "key", "key")},
}
PARAMETERS = {
    "X-Request-ID": {
        **_text(
            "named in the answer, in problems and in our log; another is made where it is not of 1 to 128 letters, digits and ._:/+=@-"
        ),
        "name": "X-Request-ID",
        "in": "header",
        "required": False,
    },
    "If-None-Match": {
        **_text("the ETag of what the caller has already: 304 where it is still so"),
        "name": "If-None-Match",
        "in": "header",
        "required": False,
    },
    "Idempotency-Key": {
        **_text("a text in quotes: the same request with the same key is done once and answered alike, for good"),
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "pattern": KEY},
    },
}


def manners(result: dict[str, Any], generator: object, request: object, public: object) -> dict[str, Any]:
    """What drf-spectacular made, with all that is true of every operation; called by it as its last hook."""
    components = result["components"]
    components["headers"] = HEADERS
    components["parameters"] = PARAMETERS
    components["responses"] = {"NotModified": _not_modified(), **{_name(status): _problem(status) for status in _statuses()}}
    _say_bodies(components["schemas"])
    for path, method, operation in _operations(result):
        operation.setdefault("description", DESCRIPTIONS.get(operation["operationId"], ""))
        _say_headers(method, operation)
        _say_parameters(method, operation)
        _say_refusals(path, method, operation)
        _say_sparse(components["schemas"], operation)
        _say_links(operation)
        _say_examples(operation)
    return result


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, Operation]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield path, method, operation


def _statuses() -> list[int]:
    return sorted({status for status, *_ in CODES.values()})


def _name(status: int) -> str:
    return f"Problem{status}"


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _headers(*names: str) -> dict[str, dict[str, str]]:
    return {name: _ref("headers", name) for name in names}


def _problem(status: int) -> dict[str, Any]:
    """The refusals with this status: their form, and an example of each code."""
    codes = {code: title for code, (its, title, _) in CODES.items() if its == status}
    return {
        "description": "; ".join(f"`{code}`: {title}" for code, title in codes.items()),
        "headers": _headers(*ON_ALL, *ON_STATUS.get(status, ())),
        "content": {MEDIA_TYPE: {"schema": PROBLEM, "examples": {code: {"value": _example(code)} for code in codes}}},
    }


def _example(code: str) -> dict[str, Any]:
    status, title, what_to_do = CODES[code]
    body = {"type": f"{SITE}/api/v1/problems/{code}/", "title": title, "status": status, "code": code, "detail": what_to_do}
    return {**body, "request_id": "3f2a9c0d5b7e48d1a6c4e2f09b8d7a61"}


def _not_modified() -> dict[str, Any]:
    return {"description": "The caller has it already.", "headers": _headers(*ON_ALL, "ETag")}


def _say_bodies(schemas: dict[str, Any]) -> None:
    """A body has no field that is not named here; those that are read by a structure of our own are as that says."""
    _, posted = msgspec.json.schema_components([Submission, EvaluationEntry], ref_template="#/components/schemas/Posted{name}")
    schemas.update({f"Posted{name}": schema for name, schema in posted.items() if name not in {"Submission", "EvaluationEntry"}})
    schemas["RunBodyRequest"] = run = posted["Submission"]
    schemas["EvaluationShapeRequest"] = posted["EvaluationEntry"]
    rest = schemas["RestRequest"]["properties"]
    schemas["RestRequest"]["properties"] = {name: run["properties"].get(name, schema) for name, schema in rest.items()}
    for name, schema in schemas.items():
        if not name.endswith("Request"):
            _forget_ranges(schema)
        elif "properties" in schema:
            schema.setdefault("additionalProperties", False)


def _forget_ranges(schema: dict[str, Any]) -> None:
    """How large a number a column takes is the database's affair, and another one's is another."""
    for each in schema.get("properties", {}).values():
        if each.get("maximum") in COLUMNS:
            for key in ("maximum", "format") if each.get("minimum") == 0 else ("maximum", "minimum", "format"):
                each.pop(key, None)


def _say_headers(method: str, operation: Operation) -> None:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            more = ("ETag",) if method == "get" else ("Idempotent-Replayed", *(("Location",) if status in {"200", "201"} else ()))
            answer["headers"] = {**_headers(*ON_ALL, *more), **answer.get("headers", {})}


def _say_parameters(method: str, operation: Operation) -> None:
    names = ["X-Request-ID", "If-None-Match" if method == "get" else "Idempotency-Key"]
    operation["parameters"] = [*operation.get("parameters", []), *(_ref("parameters", name) for name in names)]


def _say_refusals(path: str, method: str, operation: Operation) -> None:
    answers = operation["responses"]
    may_be = {*ALWAYS, *(int(status) for status in answers if int(status) >= 400)}
    may_be |= {401, 403} if operation.get("security") else set()
    may_be |= {404} if "{" in path or _is_list(operation) else set()
    may_be |= {403, 409, 413, 415, 422} if method == "post" else set()
    for status in may_be:
        answers[str(status)] = _with_ours(answers.get(str(status)), status)
    if method == "get":
        answers["304"] = _ref("responses", "NotModified")
    operation["responses"] = dict(sorted(answers.items()))


def _is_list(operation: Operation) -> bool:
    return any(each.get("name") == "cursor" for each in operation.get("parameters", []))


def _with_ours(own: dict[str, Any] | None, status: int) -> dict[str, Any]:
    """The refusal as all have it, or where the operation has a form of its own for it, either of the two."""
    schema = (own or {}).get("content", {}).get(MEDIA_TYPE, {}).get("schema", {})
    if schema in ({}, PROBLEM):
        return _ref("responses", _name(status))
    shared = _problem(status)
    shared["content"][MEDIA_TYPE]["schema"] = {"anyOf": [schema, PROBLEM]}
    return shared


def _say_links(operation: Operation) -> None:
    """What can be asked next of what was stored."""
    links = {
        name: {"operationId": where, "parameters": {parameter: f"$response.body#/{field}"}}
        for name, (where, parameter, field) in LINKS.get(operation["operationId"], {}).items()
    }
    if links:
        operation["responses"]["201"]["links"] = links


def _say_sparse(schemas: dict[str, Any], operation: Operation) -> None:
    """Where fields can be chosen, the answer may lack any of the others."""
    if not any(each.get("name") == fields.PARAMETER for each in operation["parameters"]):
        return
    content = operation["responses"]["200"]["content"]["application/json"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    content["schema"] = {"anyOf": [content["schema"], _sparse(schemas, name)]}


def _sparse(schemas: dict[str, Any], name: str) -> dict[str, str]:
    """The same shape, of whose fields none need be there; of a list, that of its rows."""
    found = schemas[name]
    if "next" in found["properties"]:
        row = found["properties"]["results"]["items"]["$ref"].rpartition("/")[2]
        rows = {"type": "array", "items": _sparse(schemas, row)}
        schemas[f"Sparse{name}"] = {**found, "properties": {**found["properties"], "results": rows}}
    else:
        schemas[f"Sparse{name}"] = {key: value for key, value in found.items() if key != "required"}
    return {"$ref": f"#/components/schemas/Sparse{name}"}


def _say_examples(operation: Operation) -> None:
    """The examples of an operation: parameters by name, the body, and answers by status."""
    given = EXAMPLES.get(operation["operationId"], {})
    for each in operation["parameters"]:
        if each.get("name") in given.get("parameters", {}):
            each["example"] = given["parameters"][each["name"]]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if kind in given.get("request", {}):
            content["examples"] = {f"example{number}": {"value": value} for number, value in enumerate(given["request"][kind], start=1)}
    for status, value in given.get("responses", {}).items():
        for content in operation["responses"].get(status, {}).get("content", {}).values():
            content["example"] = value
