import json

import pytest
from rest_framework.exceptions import ParseError

from fsf.api.strict_json import JSONRenderer, read
from tests.api.conftest import nothing_stored, problem
from tests.conftest import run_body

DOORS = ["runs/", "models/", "checkpoints/", "evaluations/", "determinations/", "gate/"]
FORMS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data"]
OTHER_KINDS = ["text/plain", "text/json", "application/vnd.api+json", "application/xml", ";", "", *FORMS]
UNREADABLE = {
    "cut off": b'{"a": 1',
    "cut off in a text": b'{"a": "b',
    "only a blank": b" ",
    "no JSON": b"producer=nightly",
    "two documents": b"{} {}",
    "a comma too many": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "a comment": b'{"a": 1} // one',
    "a name without quotes": b"{a: 1}",
    "a name that is a number": b'{1: "a"}',
    "a leading zero": b'{"a": 01}',
    "a bare point": b'{"a": .5}',
    "a hexadecimal number": b'{"a": 0x1}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": Infinity}',
    "minus Infinity": b'{"a": -Infinity}',
    "a number beyond all doubles": b'{"a": 1e999}',
    "a number of 5000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "a number of 310 digits": b'{"a": ' + b"9" * 310 + b"}",
    "a NUL in a text": b'{"a": "x\\u0000"}',
    "a NUL in a name": b'{"a\\u0000": 1}',
    "a NUL deep inside": b'{"a": [{"b": ["\\u0000"]}]}',
    "a raw NUL": b'{"a": "\x00"}',
    "a raw line break in a text": b'{"a": "\n"}',
    "a lone high surrogate": b'{"a": "\\ud800"}',
    "a lone low surrogate": b'{"a": "\\udc00"}',
    "surrogates the wrong way round": b'{"a": "\\udc00\\ud800"}',
    "a surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "Latin-1": '{"a": "ü"}'.encode("latin-1"),
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte-order mark": b"\xef\xbb\xbf{}",
    "an overlong form": b'{"a": "\xc0\xaf"}',
    "a name twice": b'{"a": 1, "a": 2}',
    "a name twice, once escaped": b'{"a": 1, "\\u0061": 2}',
    "a name twice deep inside": b'{"a": [{"b": 1, "b": 1}]}',
    "66 levels of lists": b"[" * 66 + b"]" * 66,
    "70 levels of objects": b'{"a":' * 70 + b"1" + b"}" * 70,
    "lists without end": b"[" * 100_000,
    "100 000 levels": b"[" * 100_000 + b"]" * 100_000,
    "100 000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE)
def test_what_readers_could_disagree_on_is_refused(raw):
    with pytest.raises(ParseError):
        read(raw)


@pytest.mark.django_db
@pytest.mark.parametrize("door", DOORS)
def test_no_door_takes_what_cannot_be_read(pipeline, door):
    with nothing_stored():
        for raw in UNREADABLE.values():
            problem(pipeline.send(door, raw), 400, "not_json")


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        ('{"ü": "\u2028\u200b"}'.encode(), {"ü": "\u2028\u200b"}),
        (b'\n{"a" : [ 1 , 2.5e3, -0.0, null, true ] }\t', {"a": [1, 2500.0, -0.0, None, True]}),
        (b'{"a": {"b": 1}, "c": {"b": 1}}', {"a": {"b": 1}, "c": {"b": 1}}),
        (b'{"a": "\\\\u0000"}', {"a": "\\u0000"}),
        (b"9007199254740993", 9007199254740993),
        (b"[" * 64 + b"1" + b"]" * 64, json.loads("[" * 64 + "1" + "]" * 64)),
    ],
)
def test_what_is_unmistakable_is_read(raw, content):
    assert read(raw) == content


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (UNREADABLE["NaN"], "byte 6"),
        (UNREADABLE["a name twice"], "'a' stands twice"),
        (UNREADABLE["a NUL in a text"], "NUL"),
        (UNREADABLE["100 000 levels"], "deeper than 64"),
    ],
)
def test_the_refusal_says_what_is_wrong(raw, said):
    with pytest.raises(ParseError, match=said):
        read(raw)


@pytest.mark.django_db
def test_a_body_of_a_mebibyte_is_read_and_one_byte_more_is_not(pipeline, small, aurora, settings):
    raw = json.dumps(run_body(3, 12)).encode()
    with nothing_stored():
        body = problem(pipeline.send("runs/", raw.ljust(1_048_577)), 413, "too_large")
    assert "1048576 bytes" in body["detail"]
    assert pipeline.send("runs/", raw.ljust(1_048_576)).status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("door", DOORS)
def test_a_body_of_another_media_type_is_refused(pipeline, door):
    with nothing_stored():
        for kind in OTHER_KINDS:
            answer = pipeline.client.post(f"/api/v1/{door}", b'{"a": 1}', content_type=kind, headers=pipeline._headers())
            problem(answer, 415, "unsupported_media_type")


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_taken_however_it_is_spelt(pipeline, small, aurora, kind):
    raw = json.dumps(run_body(3, 12))
    assert pipeline.client.post("/api/v1/runs/", raw, content_type=kind, headers=pipeline._headers()).status_code == 201


@pytest.mark.django_db
def test_answers_are_utf_8_with_times_in_utc(pipeline, small, aurora):
    raw = pipeline.run(3, 12, external_id="ü", completed="2025-11-01T11:30:00+02:00").json()["id"]
    answer = pipeline.get(f"runs/{raw}/")
    assert "ü".encode() in answer.content
    assert answer.json()["completed"] == "2025-11-01T09:30:00Z"


def test_a_number_that_a_database_made_whole_is_written_as_the_double_it_was():
    answer = {"flop": [int(3e25), -int(1.7e308)], "count": (2**64 - 1, -(2**63)), "true": True, "at": {1: None}}
    written = json.loads(JSONRenderer().render(answer))
    assert written == {"flop": [3e25, -1.7e308], "count": [2**64 - 1, -(2**63)], "true": True, "at": {"1": None}}
    assert [type(number) for number in written["flop"]] == [float, float]
