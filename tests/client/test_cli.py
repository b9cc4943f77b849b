import json
import os
import subprocess
import sys

import pytest
import yaml

from bench.servers import ROOT

FRAMEWORK = ROOT / "tests" / "fixtures" / "small-1.0.yaml"


def test_a_file_of_runs_is_posted(fsf, write, body):
    code, out, err = fsf("run", "post", write("runs.ndjson", [body(0), body(1)]))
    assert (code, err) == (0, "")
    assert out.count(" created") == 2
    assert "small-1.0.uplift" in out


def test_a_crossing_is_told_with_its_crisis(fsf, write, body):
    _, out, _ = fsf("run", "post", write("run.json", body(20)))
    assert "CRITICAL reached" in out
    assert "opened: http" in out


def test_a_run_is_read_from_the_standard_input_and_answered_in_json(fsf, body):
    code, out, _ = fsf("run", "post", "-", "--json", stdin=json.dumps(body(0)))
    assert (code, json.loads(out)["outcome"], json.loads(out)["ref"][:2]) == (0, "created", "R-")


def test_a_refused_run_does_not_keep_the_others_from_being_posted(fsf, write, body):
    code, out, err = fsf("run", "post", write("runs.ndjson", [body(0, checkpoint="aurora-x"), body(1)]))
    assert (code, out.count(" created")) == (1, 1)
    assert "/checkpoint: No checkpoint 'aurora-x' is registered" in err


def test_a_start_and_a_finish(fsf, write, body):
    path = write("run.json", body(0))
    run = json.loads(path.read_text())
    names = ["--producer", "nightly", "--external-id", run["external_id"], "--checkpoint", run["checkpoint"], "--evaluation", "ctf@1"]
    assert fsf("run", "start", *names)[0] == 0
    code, out, _ = fsf("run", "finish", path)
    assert (code, " created" in out) == (0, True)


def test_a_cancelled_run_is_finished_without_a_file(fsf, body, server):
    run = body()
    names = ["--producer", "nightly", "--external-id", run["external_id"], "--checkpoint", run["checkpoint"], "--evaluation", "ctf@1"]
    fsf("run", "start", *names)
    assert fsf("run", "finish", "--status", "cancelled", *names)[0] == 0
    assert [row["status"] for row in server.rows(run["checkpoint"])] == ["cancelled", "started"]


def test_a_start_without_an_identity_says_what_is_missing(fsf):
    code, _, err = fsf("run", "start", "--producer", "nightly")
    assert (code, "external_id, checkpoint, evaluation" in err) == (2, True)


def test_a_server_that_is_away_keeps_the_run_and_says_so(fsf, body, nowhere):
    code, out, err = fsf("run", "post", "-", "--patience", "0", stdin=json.dumps(body()), url=nowhere)
    assert (code, out) == (4, "")
    assert "NOT POSTED YET" in err
    assert fsf("run", "post", "-", "--patience", "0", "--queue-ok", stdin=json.dumps(body()), url=nowhere)[0] == 0
    code, out, _ = fsf("outbox", "list")
    assert (code, out.count("waiting ")) == (0, 2)
    code, out, _ = fsf("outbox", "send", "--patience", "0", url=nowhere)
    assert (code, "0 delivered, 0 refused, 2 waiting" in out) == (4, True)


def test_a_result_that_waits_here_makes_a_pass_unknown(fsf, body, server, client):
    run = body(0, 200)
    client.post_run(run)
    assert fsf("gate", "check", run["checkpoint"])[0] == 0
    client.outbox.put(server.url, body(9, evaluation="ctf@1"))  # taken, and never given back: this process lives on
    code, out, _ = fsf("gate", "check", run["checkpoint"])
    assert (code, "UNKNOWN" in out, "unsent" in out) == (3, True, True)


def test_the_gates_exit_codes(fsf, body, client, nowhere):
    run = body(20)
    assert fsf("gate", "check", run["checkpoint"])[0] == 3
    client.post_run(run)
    code, out, _ = fsf("gate", "check", run["checkpoint"])
    assert (code, out.startswith("▲ HOLD"), "plan_not_ready" in out) == (1, True, True)
    assert fsf("gate", "check", "aurora-x")[0] == 3
    assert fsf("gate", "check", run["checkpoint"], "--stage", "moon")[0] == 2
    assert fsf("gate", "check", run["checkpoint"], token="fsf_live_wrong")[0] == 2
    assert fsf("gate", "check", run["checkpoint"], "--patience", "0", url=nowhere)[0] == 4
    assert fsf("gate", "check")[0] == 2
    assert fsf("gate", "check", run["checkpoint"], FSF_TOKEN="")[0] == 2


def test_the_gate_writes_a_summary_and_json(fsf, body, client, tmp_path):
    run = body(20)
    client.post_run(run)
    code, out, _ = fsf("gate", "check", run["checkpoint"], "--summary", tmp_path / "summary.md", "--json")
    summary = (tmp_path / "summary.md").read_text()
    assert (code, json.loads(out)["verdict"]) == (1, "hold")
    assert f"| {run['checkpoint']} | external | hold | small-1.0 |" in summary
    assert "plan\\_not\\_ready" in summary


def test_where_a_checkpoint_stands(fsf, body, client):
    run = body(0, 40)
    assert "nothing was judged yet" in fsf("status", run["checkpoint"])[1]
    client.post_run(run)
    code, out, _ = fsf("status", run["checkpoint"])
    assert (code, out.splitlines()[0].split()[:3]) == (0, ["Checkpoint", "Level", "State"])
    assert "○ Below alert" in out
    assert json.loads(fsf("status", run["checkpoint"], "--json")[1])[0]["state"] == "clear"


def test_a_sound_framework_file_and_one_with_faults(fsf, tmp_path):
    content = yaml.safe_load(FRAMEWORK.read_text())
    content["levels"][0]["thresholds"][0]["value"] = "high"
    del content["framework"]["slug"]
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(content))
    assert fsf("framework", "validate", FRAMEWORK, FSF_URL="")[0] == 0
    code, out, _ = fsf("framework", "validate", FRAMEWORK, wrong)
    assert (code, "2 faults" in out, "levels/0/thresholds/0/value: 'high' is not of type 'number'" in out) == (1, True, True)


@pytest.mark.parametrize("text", ["a: [", "- {b"])
def test_a_framework_file_that_is_no_yaml(fsf, tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    code, _, err = fsf("framework", "validate", tmp_path / "x.yaml")
    assert (code, "is no YAML" in err) == (2, True)


def test_what_a_server_says_cannot_steer_the_terminal(proxy, server, fsf):
    url, faults = proxy
    faults.instead = [(400, {"Content-Type": "application/problem+json"}, b'{"code": "invalid", "detail": "\\u001b[2J \\u202e hidden"}')]
    code, _, err = fsf("run", "post", "-", stdin='{"producer": {"name": "x"}, "external_id": "1"}', url=url)
    assert (code, "\x1b" in err, "\u202e" in err) == (1, False, False)


def test_no_server_is_named(fsf):
    code, _, err = fsf("status", FSF_URL="")
    assert (code, "set FSF_URL" in err) == (2, True)


def test_the_outbox_forgets_only_what_is_refused_and_only_when_sure(fsf, client, body):
    name = client.outbox.put(client.url, body()).refused({"code": "invalid", "detail": "No."}).name
    assert "Refused: nightly" in fsf("outbox", "list")[1]
    assert fsf("outbox", "drop", name, stdin="n\n")[0] == 130
    assert fsf("outbox", "drop", name, "--yes")[0] == 0
    assert fsf("outbox", "drop", name, "--yes")[0] == 2


def test_shells_can_complete_commands(fsf):
    code, out, _ = fsf(_FSF_COMPLETE="bash_complete", COMP_WORDS="fsf ga", COMP_CWORD="1")
    assert (code, out.strip()) == (0, "plain,gate")


def test_a_reader_that_has_read_enough_changes_no_exit_code(fsf, write, body, server, tmp_path):
    path = write("runs.ndjson", [body(0) for _ in range(5)])
    env = {
        **os.environ,
        "FSF_URL": server.url,
        "FSF_TOKEN": server.token,
        "PYTHONPATH": str(ROOT / "client"),
        "FSF_OUTBOX": str(tmp_path / "o"),
    }
    command = f'set -o pipefail; "{sys.executable}" -m fsf_client run post "{path}" | head -n 1'
    done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)


def test_a_dry_run_says_so_and_stores_nothing(fsf, write, body, server):
    run = body(20)
    code, out, _ = fsf("run", "post", "--dry-run", write("run.json", run))
    assert (code, out.splitlines()[0], "CRITICAL reached" in out) == (0, "Dry run, nothing is stored: the run would be created", True)
    code, out, _ = fsf("import", "--dry-run", write("run.json", run))
    assert (code, out.splitlines()[0]) == (0, "Dry run: nothing is stored.")
    assert server.rows(run["checkpoint"]) == []


def test_a_heartbeat_from_a_shell(fsf, body):
    run = body()
    names = ["--producer", "nightly", "--external-id", run["external_id"], "--checkpoint", run["checkpoint"], "--evaluation", "ctf@1"]
    ref = json.loads(fsf("run", "start", *names, "--planned", "24", "--every", "600", "--json")[1])["ref"]
    assert fsf("run", "heartbeat", ref, "--completed", "12") == (0, "", "")
    fsf("run", "finish", "--status", "cancelled", *names)
    code, _, err = fsf("run", "heartbeat", ref)
    assert (code, f"took no note of {ref}" in err) == (4, True)
    assert fsf("run", "heartbeat", "twelve")[0] == 2


def test_many_runs_are_told_by_their_counts(fsf, write, body):
    code, out, err = fsf("run", "post", write("runs.ndjson", [body(0) for _ in range(30)] + [body(0, checkpoint="aurora-x")]))
    assert (code, out.split(), err.count("Refused")) == (1, ["Outcome", "Runs", "created", "30", "refused", "1"], 1)


def test_a_command_that_is_misspelt_is_guessed(fsf):
    code, _, err = fsf("imprt", "x")
    assert (code, "Did you mean 'import'?" in err) == (2, True)
    assert fsf("run", "post", "nowhere.json")[2] == "nowhere.json: No such file or directory\n"
