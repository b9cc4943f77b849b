"""Which files go into one request, and how."""

import shutil
from collections import Counter
from email.parser import BytesParser

import pytest

from bench.servers import ROOT
from fsf_client import Names, gathering
from fsf_client.gathering import form, groups
from fsf_client.importing import Asked
from fsf_client.transport import Answer, Wire
from tests.client.conftest import started

INSPECT = ROOT / "tests" / "fixtures" / "inspect"
LOGS = ("edited", "limited", "rescored")
TAKEN = {"created", "superseded", "replayed", "overtaken"}  # the server and its runs are shared by all tests


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One of this module's own: its logs have the names that other modules import too."""
    with started(tmp_path_factory.mktemp("gathering-server")) as server:
        yield server


def asked(folder, *names, size=1, told=Names()):  # noqa: B008 - frozen
    for name in names:
        (folder / name).write_bytes(b"x" * size)
    return [Asked(folder / name, told, expected=False) for name in names]


def gathered(files):
    return [[each.path.name for each in group] for group in groups(files)]


def test_small_logs_go_together_and_anything_else_alone_in_its_place(tmp_path):
    files = asked(tmp_path, "a.eval", "b.eval", "c.csv", "d.eval", 'e".eval', "f.eval", "é.eval")
    assert gathered(files) == [["a.eval", "b.eval"], ["c.csv"], ["d.eval"], ['e".eval'], ["f.eval"], ["é.eval"]]


def test_a_request_has_no_more_files_and_bytes_than_are_taken(tmp_path, monkeypatch):
    names = [f"{number}.eval" for number in range(7)]
    monkeypatch.setattr(gathering, "MOST_FILES", 3)
    assert [len(group) for group in gathered(asked(tmp_path, *names))] == [3, 3, 1]
    monkeypatch.setattr(gathering, "MOST_BYTES", 20)
    assert [len(group) for group in gathered(asked(tmp_path, *names, size=10))] == [2, 2, 2, 1]
    monkeypatch.setattr(gathering, "LARGEST", 9)
    assert [len(group) for group in gathered(asked(tmp_path, *names, size=10))] == [1] * 7


def test_files_under_other_names_go_apart(tmp_path):
    files = asked(tmp_path, "a.eval", "b.eval") + asked(tmp_path, "c.eval", told=Names(running=True))
    assert gathered(files) == [["a.eval", "b.eval"], ["c.eval"]]


def test_a_file_that_is_gone_goes_alone_and_is_told_of(client, tmp_path, body):
    shutil.copy(INSPECT / "edited.eval", tmp_path / "a.eval")
    names = Names(checkpoint=body()["checkpoint"])
    files = [(tmp_path / name, names, True) for name in ("a.eval", "gone.eval")]
    done = {path.name: {each.outcome for each in found} <= TAKEN for path, found in client.uploads().upload_all(files)}
    assert done == {"a.eval": True, "gone.eval": False}


def test_a_form_is_what_every_reader_of_forms_takes():
    body, media_type = form([("a.eval", b"one\r\n--two"), ("b.eval", b"")])
    message = BytesParser().parsebytes(b"Content-Type: " + media_type.encode() + b"\r\n\r\n" + body)
    parts = [(part.get_param("name", header="content-disposition"), part.get_filename()) for part in message.get_payload()]
    assert parts == [("file", "a.eval"), ("file", "b.eval")]
    assert b"\r\n\r\none\r\n--two\r\n" in body


@pytest.fixture
def many(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    for name in LOGS:
        shutil.copy(INSPECT / f"{name}.eval", folder / f"{name}.eval")
    return folder


@pytest.fixture
def sent(monkeypatch):
    """The requests that were made, by media type."""
    seen = Counter()
    exchange = Wire.exchange

    def counted(self, request):
        seen[request.media_type.partition(";")[0]] += 1
        return exchange(self, request)

    monkeypatch.setattr(Wire, "exchange", counted)
    return seen


def test_many_logs_are_one_request_and_are_told_one_by_one(client, many, body, sent):
    names = Names(checkpoint=body()["checkpoint"])
    (many / "broken.eval").write_bytes((INSPECT / "edited.eval").read_bytes()[:-30])
    (many / "diary.eval").write_bytes(b"dear diary")
    done = {each.path.stem: each for each in client.import_files([many], names=names)}
    assert sent == {"multipart/form-data": 1}
    assert {name: done[name].outcome for name in ("broken", "diary")} == {"broken": "unreadable", "diary": "skipped"}
    assert {done[name].outcome for name in LOGS} <= TAKEN
    assert all(done[name].reply["ref"] for name in LOGS)
    assert [each.outcome for each in client.import_files([many / "edited.eval"], names=names)] == ["replayed"]


def test_a_server_that_takes_one_file_only_gets_them_one_by_one(client, many, body, sent, monkeypatch):
    exchange = Wire.exchange
    refused = Answer(400, {}, b'{"code": "invalid"}')
    monkeypatch.setattr(Wire, "exchange", lambda self, asked: refused if "form" in asked.media_type else exchange(self, asked))
    done = [each.outcome for each in client.import_files([many], names=Names(checkpoint=body()["checkpoint"]))]
    assert (len(done), set(done) <= TAKEN, sent["application/octet-stream"]) == (3, True, 3)


def test_what_the_server_did_not_come_to_is_sent_alone(client, many, body, sent, monkeypatch):
    exchange = Wire.exchange
    report = b'{"name": "x", "items": [], "code": "not_reached", "reason": "Send it alone."}'
    late = Answer(207, {}, b'{"files": [' + b",".join([report] * 3) + b"]}")
    monkeypatch.setattr(Wire, "exchange", lambda self, asked: late if "form" in asked.media_type else exchange(self, asked))
    done = [each.outcome for each in client.import_files([many], names=Names(checkpoint=body()["checkpoint"]))]
    assert (set(done) <= TAKEN, sent["application/octet-stream"]) == (True, 3)
