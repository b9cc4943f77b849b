"""The folder of message files: a reader and a writer at once, two readers at once, and files that hold no message."""

import json
from queue import Empty
from threading import Thread

import pytest
from kombu import Connection


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "messages").mkdir()
    return tmp_path / "messages"


@pytest.fixture
def channel(folder):
    options = {"data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(folder.parent / "control")}
    return lambda: Connection("filesystem://localhost", transport="fsf.doorbell:Transport", transport_options=options).channel()


def drain(channel, into):
    try:
        while True:
            into.append(channel._get("celery")["n"])
    except Empty:
        return


def test_messages_come_whole_once_and_to_their_queue(channel, folder):
    for number in range(3):
        channel()._put("celery", {"n": number})
    channel()._put("other", {"n": 9})
    got = []
    drain(channel(), got)
    assert sorted(got) == [0, 1, 2]
    assert channel()._get("other") == {"n": 9}
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b'{"n": ', b"\xff"])
def test_a_file_that_holds_no_message_is_passed_over(channel, folder, content, caplog):
    (folder / "1_x.celery.msg").write_bytes(content)
    (folder / "2_y.celery.msg").write_text(json.dumps({"n": 2}))
    assert channel()._get("celery") == {"n": 2}
    assert "1_x.celery.msg cannot be read and is passed over" in caplog.text
    with pytest.raises(Empty):
        channel()._get("celery")


def test_readers_and_a_writer_at_once_lose_and_double_nothing(channel):
    got, written = [], []

    def write():
        for number in range(300):
            channel()._put("celery", {"n": number})
            written.append(number)

    def read():
        while len(written) < 300:
            drain(channel(), got)

    threads = [Thread(target=work) for work in (write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drain(channel(), got)
    assert sorted(got) == list(range(300))
