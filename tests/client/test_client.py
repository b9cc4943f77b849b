import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fsf_client import Client, NotConfigured, NotJson, Outbox, OutboxFull, Refused, Unreachable


def test_a_posted_run_is_judged_in_the_reply(client, body):
    receipt = client.post_run(body(0, 40))
    assert (receipt.outcome, receipt.delivered, receipt.ref[:2]) == ("created", True, "R-")
    assert receipt.verdicts[0]["level"] == "small-1.0.uplift"
    assert list(client.outbox.entries()) == []


def test_the_same_again_is_replayed(client, body):
    run = body(1)
    assert [client.post_run(run).outcome for _ in range(2)] == ["created", "replayed"]


def test_other_content_is_refused_and_kept_with_the_reason(client, body):
    run = body(1)
    client.post_run(run)
    with pytest.raises(Refused, match="already posted other content") as refused:
        client.post_run(body(2, external_id=run["external_id"]))
    assert refused.value.code == "content_differs"
    ((state, entry),) = client.outbox.entries()
    assert (state, entry.refusal["code"], refused.value.kept.exists()) == ("refused", "content_differs", True)


def test_a_correction_supersedes_the_newest(client, body, server):
    run = body(1)
    client.post_run(run)
    assert client.post_run(body(2, external_id=run["external_id"]), correct="newest").outcome == "superseded"
    assert [row["revision"] for row in server.rows(run["checkpoint"])] == [2, 1]


def test_every_fault_of_a_refused_body_is_told(client, body):
    with pytest.raises(Refused, match="/checkpoint: No checkpoint 'aurora-x' is registered"):
        client.post_run(body(1, checkpoint="aurora-x"))


def test_what_is_not_json_is_refused_before_anything_is_kept(client, body, outbox):
    with pytest.raises(NotJson, match="post null with a reason"):
        client.post_run(body(1, provenance={"x": float("nan")}))
    assert not outbox.exists()


def test_a_started_run_is_finished(client, body, server):
    run = body(3)
    started = client.start_run(run)
    receipt = client.finish_run(started, measurements=run["measurements"])
    assert (started.receipt.reply["status"], receipt.outcome, receipt.reply["status"]) == ("started", "created", "success")
    assert [row["status"] for row in server.rows(run["checkpoint"])] == ["success", "started"]


def test_a_finish_does_not_replace_another_result(client, body):
    run = body(3)
    client.post_run(run)
    with pytest.raises(Refused):
        client.finish_run(run, measurements=[{"metric": "solved", "solved": 4, "total": 20}])


def test_a_finish_needs_no_leave_to_read(client, body, server, outbox):
    run = body(3)
    client.start_run(run)
    with Client(server.url, server.write_only, outbox=outbox) as blind:
        assert blind.finish_run(run).outcome == "created"


def test_a_dry_run_is_judged_and_stores_nothing(client, body, server, outbox):
    run = body(20)
    receipt = client.post_run(run, dry_run=True)
    assert (receipt.outcome, receipt.ref, receipt.crossings[0]["kind"]) == ("created", "", "critical")
    assert (server.rows(run["checkpoint"]), outbox.exists()) == ([], False)


def test_many_runs_go_in_one_request_and_each_has_its_outcome(client, body, server):
    runs = [body(0), body(0, checkpoint="aurora-x"), body(1)]
    first, refused, third = client.post_runs(runs)
    assert (first.outcome, refused.code, third.outcome) == ("created", "invalid", "created")
    assert [each.outcome for each in client.post_runs([runs[0], runs[2]])] == ["replayed", "replayed"]
    changed = {**runs[0], "measurements": [{"metric": "solved", "solved": 2, "total": 20}]}
    assert [getattr(each, "code", "") for each in client.post_runs([changed])] == ["content_differs"]
    assert [each.outcome for each in client.post_runs([changed], correct="newest")] == ["superseded"]


def test_many_runs_are_kept_while_the_server_is_away(body, nowhere, outbox):
    with Client(nowhere, "token", outbox=outbox, patience=0) as offline:
        assert [each.outcome for each in offline.post_runs([body(), body()])] == ["queued", "queued"]
    assert len(list(Outbox(outbox).entries())) == 2


def test_a_start_that_comes_after_the_result_is_overtaken(client, body, server):
    run = body(3)
    client.post_run(run)
    assert client.start_run(run).receipt.outcome == "overtaken"
    assert [row["status"] for row in server.rows(run["checkpoint"])] == ["success"]


def test_a_heartbeat_says_how_far_a_run_is_and_never_raises(client, body, nowhere, outbox):
    run = body(3)
    started = client.start_run(run)
    assert client.heartbeat(started, completed=1, planned=20, tokens=5000)
    client.finish_run(run)
    assert not client.heartbeat(started, completed=2)
    assert not Client(nowhere, "x", outbox=outbox, patience=0).heartbeat(started, completed=1)


def test_a_run_finished_while_the_server_is_down_is_delivered_later(client, body, server, nowhere, outbox):
    run = body(2)
    with Client(nowhere, server.token, outbox=Outbox(outbox), patience=0.2) as offline:
        receipt = offline.post_run(run)
        again = offline.post_run(body(3))
    assert (receipt.outcome, receipt.kept.exists()) == ("queued", True)
    assert "gave no answer" in receipt.reason
    assert not again.delivered
    assert oct(receipt.kept.stat().st_mode)[-3:] == "600"
    moved = receipt.kept.read_text().replace(nowhere, server.url)
    assert server.token not in moved
    assert server.rows(run["checkpoint"]) == []


def redirected(outbox, before, after):
    """The posts for one server become posts for another, as if that one had been down."""
    for _, entry in list(outbox.entries()):
        outbox.put(after, entry.body, correct=entry.correct).later()
        (outbox.pending / entry.name).unlink()


def test_the_next_post_that_reaches_the_server_sends_what_waits(client, body, server, nowhere):
    with Client(nowhere, server.token, outbox=client.outbox, patience=0) as offline:
        runs = [body(number) for number in range(5)]
        assert {offline.post_run(run).outcome for run in runs} == {"queued"}
    redirected(client.outbox, nowhere, server.url)
    assert client.post_run(body(9)).delivered
    assert len(server.rows(runs[0]["checkpoint"])) == 6
    assert list(client.outbox.entries()) == []


def test_posts_of_one_run_keep_their_order(client, body, server, nowhere):
    run = body(2)
    with Client(nowhere, server.token, outbox=client.outbox, patience=0) as offline:
        offline.finish_run(offline.start_run(run), measurements=run["measurements"])
    redirected(client.outbox, nowhere, server.url)
    assert (client.send_outbox().delivered, client.send_outbox().waiting) == (2, 0)
    assert [row["status"] for row in server.rows(run["checkpoint"])] == ["success", "started"]


def test_a_post_for_one_server_never_goes_to_another(client, body, nowhere, server):
    run = body(1)
    with Client(nowhere, server.token, outbox=client.outbox, patience=0) as offline:
        offline.post_run(run)
    assert client.send_outbox().delivered == 0
    assert [state for state, _ in client.outbox.entries()] == ["waiting"]


def test_a_full_outbox_is_told_and_nothing_seems_kept(body, nowhere, outbox):
    full = Outbox(outbox, most_files=1)
    with Client(nowhere, "token", outbox=full, patience=0) as offline:
        offline.post_run(body())
        with pytest.raises(OutboxFull, match=r"at most 1 posts.*this run is NOT kept"):
            offline.post_run(body())


def test_a_full_outbox_does_not_matter_while_the_server_answers(server, body, outbox):
    with Client(server.url, server.token, outbox=Outbox(outbox, most_bytes=10)) as full:
        assert full.post_run(body()).outcome == "created"


def test_what_was_refused_can_be_sent_again(client, body, server):
    run = body(1)
    client.post_run(run)
    with pytest.raises(Refused):
        client.post_run({**run, "evaluation": "unknown"})
    assert client.send_outbox().delivered == 0
    sent = client.send_outbox(refused=True)
    assert (sent.refused, sent.delivered) == (1, 0)


def test_a_wrong_token_keeps_the_post(server, body, outbox):
    with Client(server.url, "fsf_live_wrong", outbox=outbox, patience=0) as client:
        receipt = client.post_run(body())
    assert (receipt.outcome, receipt.kept.exists()) == ("queued", True)


def test_the_gate_answers(client, body):
    run = body(0, 40)
    unknown = client.gate(run["checkpoint"])
    client.post_run(body(20))
    held = client.gate(run["checkpoint"], record=True)
    assert (unknown.verdict, unknown.reasons[0]["code"], unknown.passed) == ("unknown", "no_result", False)
    assert (held.verdict, held.frameworks) == ("hold", ("small-1.0",))


def test_the_gate_is_refused_for_an_unknown_checkpoint(client):
    with pytest.raises(Refused) as refused:
        client.gate("aurora-x")
    assert (refused.value.status, refused.value.code) == (404, "not_found")


def test_lists_are_read_to_their_end(client, server, body):
    checkpoint = body()["checkpoint"]
    for number in range(3):
        client.post_run(body(number))
    assert len(list(client.read_all("runs/", checkpoint=checkpoint))) == 3
    assert [row["level"] for row in client.status(checkpoint=checkpoint)] == ["small-1.0.uplift"]
    assert [row["key"] for row in client.frameworks()] == ["small-1.0"]


@pytest.mark.parametrize(
    ("url", "token"), [("", "x"), ("ftp://x", "x"), ("http://u:p@x", "x"), ("http://x/?a", "x"), ("http://x", ""), ("http://x", "a b")]
)
def test_what_cannot_be_an_address_or_a_token_is_refused(url, token, monkeypatch):
    monkeypatch.delenv("FSF_URL", raising=False)
    monkeypatch.delenv("FSF_TOKEN", raising=False)
    with pytest.raises(NotConfigured):
        Client(url, token)


def test_what_is_no_fsf_server_is_told(proxy, server, outbox, body):
    url, faults = proxy
    faults.instead = [(200, {"Content-Type": "text/html"}, b"<h1>Welcome</h1>")]
    with Client(url, server.token, outbox=outbox, patience=0) as client:
        assert "is no fsf server" in client.post_run(body()).reason
    with Client(f"{url}/elsewhere", server.token, outbox=outbox, patience=0) as client, pytest.raises(Unreachable, match="no fsf server"):
        client.frameworks()


def forked_post(client, run, found):
    found.send(client.post_run(run).outcome)


def test_a_fork_speaks_over_connections_of_its_own(client, body, server):
    first, *runs = [body(number) for number in range(4)]
    client.post_run(first)
    pipes, context = [], multiprocessing.get_context("fork")
    for run in runs:
        ours, theirs = context.Pipe()
        context.Process(target=forked_post, args=(client, run, theirs)).start()
        pipes.append(ours)
    assert [pipe.recv() for pipe in pipes] == ["created"] * 3
    assert len(server.rows(first["checkpoint"])) == 4


def test_sixty_four_threads_with_one_run_store_it_once(client, body, server):
    run, together = body(1), threading.Barrier(64)

    def post(_):
        together.wait()
        return client.post_run(run).outcome

    with ThreadPoolExecutor(64) as pool:
        outcomes = list(pool.map(post, range(64)))
    client.send_outbox()
    assert len(server.rows(run["checkpoint"])) == 1
    assert set(outcomes) <= {"created", "replayed", "queued"}
    assert list(client.outbox.entries()) == []
