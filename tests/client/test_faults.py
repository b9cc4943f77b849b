"""Nothing lost, nothing double: replies that are dropped after the commit, refusals that pass, processes that are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.servers import ROOT
from fsf_client import Client, Outbox, Refused

POSTS = int(os.environ.get("FSF_POSTS", "200"))
OVERLOADED = (503, {"Retry-After": "0", "Content-Type": "application/problem+json"}, b'{"code": "unavailable", "detail": "Busy."}')
IN_FLIGHT = (
    409,
    {"Retry-After": "0", "Content-Type": "application/problem+json"},
    b'{"code": "idempotency_in_flight", "detail": "Still at it."}',
)


def test_replies_dropped_after_the_commit_lose_and_double_nothing(proxy, server, outbox, body):
    url, faults = proxy
    faults.drop = lambda number: number % 10 == 0
    places = [server.checkpoint() for _ in range(POSTS // 100)]
    runs = [body(number % 3, checkpoint=places[number % len(places)]) for number in range(POSTS)]
    with Client(url, server.token, outbox=outbox, patience=60) as client, ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(client.post_run, runs))
        client.send_outbox()
    rows = [row for place in places for row in server.rows(place)]
    assert sorted(row["external_id"] for row in rows) == sorted(run["external_id"] for run in runs)
    assert {receipt.outcome for receipt in receipts} == {"created"}  # a repeat is answered as its first try was
    assert {receipt.ref for receipt in receipts} == {row["ref"] for row in rows}
    assert len(faults.keys) - POSTS >= POSTS // 10
    assert len(set(faults.keys)) == POSTS  # every try of a post carries the key of its first


@pytest.mark.parametrize("answer", [OVERLOADED, IN_FLIGHT, (429, {"Retry-After": "0"}, b""), (502, {}, b"<h1>Bad gateway</h1>")])
def test_what_passes_is_tried_again_under_the_same_key(proxy, server, outbox, body, answer):
    url, faults = proxy
    faults.instead = [answer, answer]
    with Client(url, server.token, outbox=outbox, patience=10) as client:
        assert client.post_run(body()).outcome == "created"
    assert (len(faults.keys), len(set(faults.keys))) == (3, 1)
    assert faults.keys[0].startswith('"')


def test_a_server_that_asks_for_more_patience_than_there_is_gets_the_post_later(proxy, server, outbox, body):
    url, faults = proxy
    faults.instead = [(429, {"Retry-After": "120"}, b"")]
    began = time.monotonic()
    with Client(url, server.token, outbox=outbox, patience=5) as client:
        receipt = client.post_run(body())
    assert (receipt.outcome, time.monotonic() - began < 2) == ("queued", True)
    assert "asks to wait 120 s" in receipt.reason


REUSED = (422, {"Content-Type": "application/problem+json"}, b'{"code": "idempotency_key_reused", "detail": "Another body."}')


def test_a_key_that_was_used_for_another_body_is_refused_for_good_and_kept(proxy, server, outbox, body):
    url, faults = proxy
    faults.instead = [REUSED]
    with Client(url, server.token, outbox=outbox) as client:
        with pytest.raises(Refused, match="Another body"):
            client.post_run(body())
        ((state, entry),) = client.outbox.entries()
        assert (state, len(faults.keys)) == ("refused", 1)
        assert client.send_outbox(refused=True).delivered == 1
    assert entry.key not in faults.keys[1]


def test_a_server_that_asks_for_fewer_requests_is_waited_for_by_an_import(proxy, server, outbox, write, body):
    url, faults = proxy
    faults.instead = [(429, {"Retry-After": "1"}, b"")] * 2
    with Client(url, server.token, outbox=outbox, patience=0) as client:
        assert [each.outcome for each in client.import_files([write("run.json", body())])] == ["created"]


def test_a_server_that_is_away_is_not_waited_for_at_every_post(nowhere, outbox, body):
    with Client(nowhere, "token", outbox=outbox, patience=1) as client:
        client.post_run(body())
        began = time.monotonic()
        for _ in range(20):
            client.post_run(body())
    assert time.monotonic() - began < 2


SENDER = """
import sys
from fsf_client import Client
from pathlib import Path
with Client(patience=30, outbox=Path(sys.argv[1])) as client:
    print(client.send_outbox(), flush=True)
"""


def sender(server, outbox):
    env = {**os.environ, "FSF_URL": server.url, "FSF_TOKEN": server.token, "PYTHONPATH": str(ROOT / "client")}
    return subprocess.Popen([sys.executable, "-c", SENDER, str(outbox)], env=env, stdout=subprocess.DEVNULL)


def test_processes_that_send_one_outbox_together_and_are_killed_lose_and_double_nothing(server, outbox, body):
    box, runs = Outbox(outbox), [body(number % 3) for number in range(120)]
    for run in runs:
        box.put(server.url, run).later()
    for pause in (0.3, 0.45, 0.6):
        crowd = [sender(server, outbox) for _ in range(3)]
        time.sleep(pause)
        for process in crowd:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert sender(server, outbox).wait(timeout=60) == 0
    rows = server.rows(runs[0]["checkpoint"])
    assert sorted(row["external_id"] for row in rows) == sorted(run["external_id"] for run in runs)
    assert list(box.entries()) == []


POSTER = """
import json, os, sys
from fsf_client import Client
from pathlib import Path
client = Client("http://127.0.0.1:9", "token", outbox=Path(sys.argv[1]), patience=60)
client.post_run(json.loads(sys.argv[2]))
"""


def test_a_run_is_on_disk_before_it_is_sent(server, outbox, body, client):
    run, box = body(1), Outbox(outbox)
    env = {**os.environ, "PYTHONPATH": str(ROOT / "client")}
    process = subprocess.Popen([sys.executable, "-c", POSTER, str(outbox), json.dumps(run)], env=env)
    until = time.monotonic() + 20
    while not list(box.entries()) and time.monotonic() < until:
        time.sleep(0.05)
    assert [state for state, _ in box.entries()] == ["sending"]
    process.kill()
    process.wait()
    box.recover()
    assert [(state, entry.body) for state, entry in box.entries()] == [("waiting", run)]
