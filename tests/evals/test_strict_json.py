import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evals.strict_json import DEPTH, QUICK, NotStrict, has_more_items, read, read_items, read_lines, read_log, read_quickly

TRICKY = st.sampled_from(["a", "b", ":", '":', '" :', "\\u0000", "\\", '"', "ü", "😀", "", "{[", "]}"])
TEXTS = st.lists(TRICKY, max_size=3).map("".join)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS


class Pairs(list):
    """An object as it is written: names may stand twice."""


DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(TEXTS, inner), max_size=4).map(Pairs), max_leaves=12
)
GAPS = st.sampled_from(["", " ", "\n", "\t \r"])


def written(part, gap, ascii_only):
    """JSON text of a document, the names that stand twice included."""
    if isinstance(part, Pairs):
        inner = (f"{json.dumps(name, ensure_ascii=ascii_only)}{gap}:{gap}{written(value, gap, ascii_only)}" for name, value in part)
        return "{" + f"{gap},{gap}".join(inner) + "}"
    if isinstance(part, list):
        return "[" + f",{gap}".join(written(each, gap, ascii_only) for each in part) + "]"
    return json.dumps(part, ensure_ascii=ascii_only)


def doubled(part):
    if isinstance(part, Pairs):
        return len({name for name, _ in part}) < len(part) or any(doubled(value) for _, value in part)
    return isinstance(part, list) and any(map(doubled, part))


def plain(part):
    if isinstance(part, Pairs):
        return {name: plain(value) for name, value in part}
    return [plain(each) for each in part] if isinstance(part, list) else part


@given(DOCUMENTS, GAPS, st.booleans())
@example(Pairs([("a", '":'), ("a", ":")]), "", False)
@example(Pairs([("a", ":x"), ("b", '":')]), "", False)
@example(Pairs([("a", 1), ("a", '":":')]), " ", True)
def test_a_document_is_read_as_it_is_and_refused_where_a_name_stands_twice(document, gap, ascii_only):
    raw = written(document, gap, ascii_only).encode()
    if doubled(document):
        with pytest.raises(NotStrict, match="stands twice"):
            read(raw)
    else:
        assert read(raw) == plain(document)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1, "a": "\\":"}',
        b'{"a" : 1, "a": 2, "b": "\\":"}',
        b'{"a": 1, "a": 2, "b": "\\u0022:"}',
        b'{"a": 1, "a": 2, "b": "\\"\\u003A"}',
        b'{"a/b": 1, "a\\/b": 2}',
        '{"ü": 1, "\\u00fc": 2}'.encode(),
        '{"☂": 1, "\\u2602": 2}'.encode(),
        b'[{"a": {"x": {"y": 1}}}, {"a": {"x": {"y": 1}}, "a": {"x": {"y": 1}}}]',
    ],
)
def test_a_name_that_stands_twice_is_never_hidden_by_how_the_rest_is_written(raw):
    with pytest.raises(NotStrict, match="stands twice in one object"):
        read(raw)


@pytest.mark.parametrize("raw", [b"[" * DEPTH + b"]" * DEPTH, b"[" + b"[1]," * 99 + b"[]]"])
def test_64_levels_are_read_however_many_brackets_there_are(raw):
    assert read(raw) == json.loads(raw)


@pytest.mark.parametrize("raw", [b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65, b'[{"a":' * 33 + b"1" + b"}]" * 33])
def test_a_level_more_is_refused(raw):
    with pytest.raises(NotStrict, match="deeper than 64 levels"):
        read(raw)


@pytest.mark.parametrize(
    "raw", [b"9223372036854775807", b"18446744073709551615", b"1" + b"0" * 30, b"-1" + b"0" * 308, b"0.1e-400", b"1.7e308"]
)
def test_a_number_that_a_double_can_hold_is_read(raw):
    assert read(raw) == json.loads(raw)


@pytest.mark.parametrize("raw", [b"1" + b"0" * 309, b"-2" + b"0" * 308, b'{"a": [' + b"9" * 4000 + b"]}", b"1e309", b"-1e309"])
def test_a_number_that_no_double_can_hold_is_refused(raw):
    with pytest.raises(NotStrict):
        read(raw)


def outcomes(found):
    return [(at, "refused" if isinstance(content, NotStrict) else content) for at, content in found]


def test_each_line_is_read_on_its_own():
    body = b'{"a": 1}\n\n  \r\n{"a": 1, "a": 2}\r\n[2]\nnone\n{"b": "\\u0000"}\n3'
    assert outcomes(read_lines(body)) == [(1, {"a": 1}), (4, "refused"), (5, [2]), (6, "refused"), (7, "refused"), (8, 3)]
    assert outcomes(read_lines(b"")) == []


def test_each_item_of_an_array_is_read_on_its_own():
    body = b'[{"a": 1}, {"a": 1, "a": 2}, "\\u0000", ' + b"[" * 64 + b"]" * 64 + b", " + b"[" * 65 + b"]" * 65 + b", 1e999]"
    found = outcomes(read_items(body))
    assert found[:3] == [(0, {"a": 1}), (1, "refused"), (2, "refused")]
    assert [content == "refused" for _, content in found] == [False, True, True, False, True, True]
    assert outcomes(read_items(b" [ ] ")) == []


@pytest.mark.parametrize("body", [b"{}", b"1", b"[1", b"[1] [2]", b"", b"[1,]", b"[" * 100_000, b'["a\xff"]x'])
def test_what_is_no_array_has_no_items(body):
    with pytest.raises(NotStrict):
        read_items(body)


def test_a_log_may_hold_what_a_body_may_not():
    assert read_log(b'{"value": NaN, "text": "\\u0000\\ud800"}') == {"value": None, "text": "\0\ud800"}
    assert read_log(b'{"a": {"x": 1, "y": 2}}', keep=lambda part: {k: v for k, v in part.items() if k != "y"}) == {"a": {"x": 1}}
    with pytest.raises(NotStrict, match="stands twice"):
        read_log(b'{"a": 1, "a": 1}')


QUIRKS = [
    "NaN",
    "-Infinity",
    "1e999",
    "1" * 30,
    "-0",
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    '"\\u0000"',
    '"\\u0061"',
    '"\t"',
    "[" * 63 + "]" * 63,
    "01",
    "nul",
]


@given(st.lists(st.sampled_from(['"a"', '"a" ', '"\\u0061"', '"b:"', *QUIRKS]), max_size=6), st.booleans())
@example(['"a"', "1", '"a"', "2"], True)
@example(["[" * 64 + "]" * 64], False)
def test_what_is_read_quickly_is_what_the_slow_reader_says(parts, named):
    pairs = ["".join(pair) for pair in zip(parts[::2], [":"] * 3, parts[1::2], strict=False)]
    raw = (f"{{{','.join(pairs)}}}" if named else f"[{','.join(parts)}]").encode()
    found = read_quickly(raw)
    if found is not None:
        assert repr(found) == repr(read_log(raw, keep=lambda part: part))


def test_only_small_documents_are_read_quickly():
    assert read_quickly(b'{"a": [1, "x"]}') == {"a": [1, "x"]}
    assert read_quickly(b"[" + b" " * QUICK + b"]") is None


def test_no_log_is_read_deeper_than_its_reader_may():
    assert read_log(b"[" * 60 + b"]" * 60) is not None
    with pytest.raises(NotStrict, match="60 levels deep; 5 are read"):
        read_log(b"[" * 60 + b"]" * 60, deepest=5)


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ("[1,1,1,1]", True),
        ("[1,1,1]", False),
        ('[[1,1,1,1],{"a":1,"b":[1,2]},3]', False),
        ('["a,b,\\",c,]","[,",3]', False),
        ('[{"a":",]"},"}",3,4]', True),
        ("[]", False),
        ("not JSON,,,,", False),
    ],
)
def test_the_items_of_a_long_array_are_counted_before_any_is_built(body, more, monkeypatch):
    monkeypatch.setattr("evals.strict_json.MANY", 0)
    assert has_more_items(body.encode(), 3) is more
    assert more == (body.startswith("[") and len(json.loads(body)) > 3)


def test_lines_are_read_one_at_a_time_however_they_end():
    lines = read_lines(b'{"a":1}\r\n\n 2\n3')
    assert next(lines) == (1, {"a": 1})
    assert list(lines) == [(3, 2), (4, 3)]


@given(st.lists(DOCUMENTS, max_size=4), GAPS, st.booleans())
@example([Pairs([("a", 1), ("a", '":')]), Pairs([("b", 1)])], "", False)
@example([Pairs([("a", 1)]), Pairs([("a", 2), ("a", 3)])], " ", False)
def test_an_array_is_read_as_its_items_are_each_by_itself(documents, gap, ascii_only):
    raw = [written(each, gap, ascii_only).encode() for each in documents]
    assert [shown(content) for _, content in read_items(b"[" + b",".join(raw) + b"]")] == [shown(one(each)) for each in raw]


@pytest.mark.parametrize(
    "item", [b"[" * 6 + b"]" * 6, b"[" * 7 + b"]" * 7, b"[" * 64 + b"]" * 64, b"[" * 65 + b"]" * 65, b"1e400", b"9" * 30]
)
def test_an_item_that_is_deep_or_large_is_read_as_it_is_by_itself(item):
    assert [shown(content) for _, content in read_items(b"[1," + item + b"]")] == ["1", shown(one(item))]


def one(raw):
    try:
        return read(raw)
    except NotStrict as fault:
        return fault


def shown(content):
    return str(content) if isinstance(content, NotStrict) else repr(content)
