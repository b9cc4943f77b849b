import json
import os
import shutil
import time
from collections import Counter

import pytest

from bench.servers import ROOT
from fsf_client import Client, Names, Refused, Unreachable
from fsf_client.pushing import Ledger, logs_in, plan_push, push_files
from fsf_client.reading import Unreadable, bodies

INSPECT = ROOT / "tests" / "fixtures" / "inspect"


@pytest.fixture
def logs(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def put(path, content, age=3600):
    path.write_text(json.dumps(content))
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


def test_files_and_folders_are_posted_oldest_first(client, logs, body, server):
    run = body(1)
    put(logs / "a.json", {**run, "measurements": [{"metric": "solved", "solved": 5, "total": 20}]}, age=10)  # rescored later
    put(logs / "b.json", run, age=20)
    (logs / ".hidden.json").write_text("{")
    (logs / "notes.txt").write_text("x")
    done = list(client.import_files([logs]))
    assert [(each.path.name, each.outcome) for each in done] == [("b.json", "created"), ("a.json", "superseded")]
    assert [row["revision"] for row in server.rows(run["checkpoint"])] == [2, 1]


def test_again_changes_nothing(client, logs, body, server):
    run = body(1)
    put(logs / "b.json", run, age=20)
    put(logs / "a.json", {**run, "measurements": [{"metric": "solved", "solved": 5, "total": 20}]}, age=10)
    for expected in ({"created", "superseded"}, {"replayed"}):
        assert {each.outcome for each in client.import_files([logs])} == expected
    assert len(server.rows(run["checkpoint"])) == 2


def test_one_bad_run_does_not_keep_the_others_from_being_posted(client, write, body):
    path = write("runs.ndjson", [body(0), body(0, checkpoint="aurora-x"), body(1)])
    assert [each.outcome for each in client.import_files([path])] == ["created", "refused", "created"]


def test_names_win_over_what_the_file_says(client, write, body):
    run = body(0)
    path = write("run.json", {**run, "checkpoint": "unknown"})
    assert [each.outcome for each in client.import_files([path], names=Names(checkpoint=run["checkpoint"]))] == ["created"]


def test_a_server_that_is_away_stops_the_import_and_keeps_nothing_here(write, body, nowhere, outbox):
    path = write("run.json", body(0))
    with Client(nowhere, "token", outbox=outbox, patience=0) as client, pytest.raises(Unreachable):
        list(client.import_files([path]))
    assert not outbox.exists()


@pytest.mark.parametrize("text", [b'{"a": NaN}', b'{"a": 1, "a": 2}', b"{", b"[1]", b'"text"', b"\xff"])
def test_what_is_no_strict_json_is_unreadable(text):
    with pytest.raises(Unreadable):
        list(bodies(text, "here"))


def test_an_unreadable_line_is_told_by_its_number():
    with pytest.raises(Unreadable, match="here, line 2"):
        list(bodies(b'{"a": 1}\n{"a": NaN}\n', "here"))


def test_what_is_no_known_format_is_skipped_in_a_folder_and_told_where_it_was_named(client, logs):
    path = logs / "other.json"
    path.write_text(json.dumps({"hello": 1}, indent=1))
    assert [each.outcome for each in client.import_files([logs])] == ["skipped"]
    assert [each.outcome for each in client.import_files([path])] == ["unreadable"]


def pushed(client, logs, state, names=Names()):  # noqa: B008 - frozen
    ledger = Ledger.of(state, client.url, logs, names)
    push = plan_push(logs_in(logs), ledger)
    done = [each for answer in push_files(client.uploads(), push, ledger, names) for each in answer]
    return {path.name: [] for path in logs_in(logs)} | {each.path.name: [each.outcome] for each in done}


def test_push_sends_what_is_new_or_changed_and_nothing_else(client, logs, body, tmp_path):
    first, second = body(1), body(2)
    put(logs / "a.json", first)
    assert pushed(client, logs, tmp_path) == {"a.json": ["created"]}
    put(logs / "b.json", second)
    assert pushed(client, logs, tmp_path) == {"a.json": [], "b.json": ["created"]}
    put(logs / "a.json", first, age=5)  # touched, not changed
    assert pushed(client, logs, tmp_path) == {"a.json": [], "b.json": []}
    put(logs / "a.json", {**first, "measurements": [{"metric": "solved", "solved": 3, "total": 20}]}, age=4)
    assert pushed(client, logs, tmp_path) == {"a.json": ["superseded"], "b.json": []}


def test_push_looks_again_at_what_failed_and_at_what_was_unfinished(client, logs, body, tmp_path):
    put(logs / "a.json", body(1, checkpoint="aurora-x"))
    put(logs / "b.json", {**body(), "status": "started", "measurements": []})
    assert pushed(client, logs, tmp_path) == {"a.json": ["refused"], "b.json": ["created"]}
    assert pushed(client, logs, tmp_path) == {"a.json": ["refused"], "b.json": ["replayed"]}


def test_what_a_rescored_log_says_stands_in_whatever_order_the_logs_come(client, server, body):
    names = Names(checkpoint=body()["checkpoint"], attested_by="Ben")
    done = [client.uploads().upload(INSPECT / f"{name}.eval", names)[0] for name in ("limited", "rescored", "limited", "rescored")]
    assert [each.outcome for each in done] == ["created", "superseded", "replayed", "replayed"]
    assert [(row["planned"], row["scored"]) for row in server.rows(names.checkpoint)] == [(4, 2), (4, 4)]


def test_a_dry_run_stores_nothing(client, write, body, server):
    run = body(0)
    assert [each.outcome for each in client.import_files([write("run.json", run)], dry_run=True)] == ["created"]
    assert server.rows(run["checkpoint"]) == []


def test_many_logs_at_once_are_answered_in_their_order(client, logs, body):
    for number in range(40):
        shutil.copy(INSPECT / "edited.eval", logs / f"{number:02d}.eval")
        os.utime(logs / f"{number:02d}.eval", (number + 1, number + 1))
    done = list(client.import_files([logs], names=Names(checkpoint=body()["checkpoint"]), jobs=4))
    assert [each.path.name for each in done] == [f"{number:02d}.eval" for number in range(40)]
    assert Counter(each.outcome for each in done) == {"created": 1, "replayed": 39}


def test_an_importer_that_does_not_exist_is_told_for_every_file(client, logs, body):
    put(logs / "a.json", body(0))
    (done,) = client.import_files([logs], names=Names(importer="none-such"))
    assert (done.outcome, "none-such" in done.reason) == ("unreadable", True)


def test_a_token_that_will_not_do_stops_the_import_at_once(server, outbox, write, body):
    with Client(server.url, "fsf_live_wrong", outbox=outbox) as client, pytest.raises(Refused) as refused:
        list(client.import_files([write("run.json", body(0))]))
    assert refused.value.code == "not_authenticated"


def test_a_lost_or_broken_state_file_costs_time_only(client, logs, body, tmp_path):
    put(logs / "a.json", body(1))
    pushed(client, logs, tmp_path)
    (ledger,) = (tmp_path / "push").iterdir()
    ledger.write_text("{broken")
    assert pushed(client, logs, tmp_path) == {"a.json": ["replayed"]}


def test_the_commands(fsf, logs, body, nowhere):
    put(logs / "a.json", body(20))
    code, out, _ = fsf("import", logs)
    assert (code, "created" in out, "critical reached at small-1.0.uplift" in out) == (0, True, True)
    code, out, _ = fsf("push", logs)
    assert (code, "0 unchanged" in out, "replayed" in out) == (0, True, True)
    assert "1 unchanged" in fsf("push", logs)[1]
    put(logs / "b.json", body(1, checkpoint="aurora-x"))
    code, _, err = fsf("push", logs)
    assert (code, "aurora-x" in err) == (1, True)
    assert fsf("import", logs, "--patience", "0", url=nowhere)[0] == 4
    assert json.loads(fsf("import", logs, "--json")[1])[0]["outcome"] == "replayed"
    assert fsf("import", logs / "none")[0] == 2
