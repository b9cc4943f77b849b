import json
import signal
import time

PASS = "print(delivery.deliver_waiting(clock=timezone.now))"
AFTER_THE_LEASE = "print(delivery.deliver_waiting(clock=lambda: timezone.now() + delivery.LEASE))"


def attempts(rig, name):
    """State and attempts of the alerts to people of this name, and how many deliveries were recorded."""
    mine = f"username__startswith='{name}'"
    rows = rig.run(
        "import json\nfrom alerts.models import Alert, Delivery\n"
        f"alerts = list(Alert.objects.filter(recipient__{mine}).values_list('state', 'attempts'))\n"
        f"print(json.dumps([alerts, Delivery.objects.filter(alert__recipient__{mine}).count()]))"
    )
    return json.loads(rows)


def test_a_worker_killed_between_claim_and_send_loses_no_mail(rig, postbox):
    rig.queue_for("ada")
    worker = rig.start(
        "import time\nclaimed = delivery.claim_due(now=timezone.now(), limit=1, lease=delivery.LEASE)\n"
        "print(len(claimed), flush=True)\ntime.sleep(60)\ndelivery.deliver_one(alert_id=claimed[0], now=timezone.now())"
    )
    assert worker.stdout.readline() == "1\n"
    worker.kill()
    rig.end(worker, -signal.SIGKILL)
    assert rig.run(PASS) == "(0, 0)"
    assert postbox.taken == []
    assert rig.run(AFTER_THE_LEASE) == "(1, 1)"
    assert [envelope.rcpt_tos for envelope in postbox.taken] == [["ada@example.org"]]
    assert attempts(rig, "ada") == [[["sent", 1]], 1]


def test_a_worker_killed_between_send_and_mark_sends_the_same_mail_again(rig, postbox):
    rig.queue_for("ben")
    worker = rig.start(PASS)
    postbox.before_answer.append(worker.kill)
    rig.end(worker, -signal.SIGKILL)
    postbox.before_answer.clear()
    assert rig.run(AFTER_THE_LEASE) == "(1, 1)"
    first, second = (envelope.content.partition(b"Message-ID: ")[2].partition(b"\r\n")[0] for envelope in postbox.taken)
    assert first == second != b""
    assert attempts(rig, "ben") == [[["sent", 1]], 1]


def test_three_workers_at_once_send_each_mail_once(rig, postbox):
    names = [f"cleo{number}" for number in range(30)]
    rig.queue_for(*names)
    postbox.before_answer.append(lambda: time.sleep(0.03))
    for worker in [rig.start(PASS) for _ in range(3)]:
        rig.end(worker, 0)
    assert sorted(envelope.rcpt_tos[0] for envelope in postbox.taken) == sorted(f"{name}@example.org" for name in names)
    assert attempts(rig, "cleo") == [[["sent", 1]] * 30, 30]
