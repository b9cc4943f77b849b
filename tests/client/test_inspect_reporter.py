import time

from fsf_client import Client, Outbox, Receipt, Run
from fsf_client.inspect.reporter import Reporter, heartbeat_seconds


def test_a_run_is_started_and_finished_in_the_background(client, body, server):
    reporter, run = Reporter(client), body(2)
    reporter.start({**run, "status": "started"})
    assert reporter.flush(10)
    reporter.progress(run["external_id"], completed=1)
    reporter.finish(run)
    assert reporter.flush(10)
    assert [row["status"] for row in server.rows(run["checkpoint"])] == ["success", "started"]


def test_a_result_is_on_disk_before_anybody_waits_for_the_server(nowhere, outbox, body):
    reporter, run = Reporter(Client(nowhere, "token", outbox=outbox, patience=5)), body(2)
    began = time.monotonic()
    reporter.finish(run)
    assert time.monotonic() - began < 1
    assert [entry.body["external_id"] for _, entry in Outbox(outbox).entries()] == [run["external_id"]]


def test_a_full_disk_is_survived_by_sending_from_memory(server, outbox, body):
    reporter, run = Reporter(Client(server.url, server.token, outbox=Outbox(outbox, most_bytes=1))), body(2)
    reporter.finish(run)
    assert reporter.flush(10)
    assert [row["status"] for row in server.rows(run["checkpoint"])] == ["success"]


def test_a_refused_start_is_logged_and_nothing_is_raised(client, body, caplog):
    reporter = Reporter(client)
    reporter.start(body(checkpoint="aurora-x"))
    assert reporter.flush(10)
    assert "was refused" in caplog.text


def test_the_seconds_between_heartbeats():
    assert [heartbeat_seconds({"FSF_HEARTBEAT": said}) for said in ("", "5", "soon", "0", "nan")] == [30, 5, 30, 30, 30]


def test_a_run_whose_start_had_to_wait_is_heard_of_once_it_was_delivered(client, body, server, monkeypatch):
    monkeypatch.setenv("FSF_HEARTBEAT", "1")
    run = {**body(), "status": "started"}
    del run["measurements"]
    reporter = Reporter(client)
    monkeypatch.setattr(client, "start_run", lambda told: Run(told, client_queue(client, told)))
    reporter.start(run)
    assert reporter.flush(10)
    monkeypatch.undo()
    until = time.monotonic() + 20
    while time.monotonic() < until and not any(known.receipt.delivered for known in reporter._runs.values()):
        time.sleep(0.1)
    (known,) = reporter._runs.values()
    assert client.heartbeat(known, completed=1)
    assert [row["status"] for row in server.rows(run["checkpoint"])] == ["started"]


def client_queue(client, told):
    """A start that found the server away."""
    return Receipt("queued", kept=client.outbox.put(client.url, {**told, "status": "started"}).later())
