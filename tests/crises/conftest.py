from dataclasses import dataclass, field

import pytest

from crises import lifecycle, plan
from crises.models import Crisis
from evals.catalogue import register_checkpoint
from tests.conftest import NIGHTLY


@pytest.fixture
def crisis(small, aurora, ada, ben, post):
    """An alert crisis of Aurora; Ada leads and is alerted, Ben does the work."""
    post(30, 100)
    return Crisis.objects.get()


@pytest.fixture
def sister(aurora, now):
    return register_checkpoint(model=aurora.model, fields={"slug": "aurora-2", "name": "Aurora 2"}, actor=NIGHTLY, now=now)


@dataclass
class Room:
    """A crisis and those who work on it: `do` names an operation of the lifecycle and who does it."""

    crisis: Crisis
    now: object
    people: dict = field(default_factory=dict)

    def do(self, action, who="ada", **more):
        actor = self.people[who].as_actor() if isinstance(who, str) else who
        if action in {"close", "reopen", "escalate"}:
            more = {"reason": "because", **more}
        done = getattr(lifecycle, action)(crisis_id=self.crisis.pk, actor=actor, now=self.now, **more)
        self.crisis.refresh_from_db()
        return done

    def reach(self, state):
        """Take the crisis along the table to a state, signing every measure off on the way."""
        for action, reached in (("acknowledge", "acknowledged"), ("start", "mitigating"), ("prove", ""), ("declare_ready", "ready")):
            if self.crisis.state == state:
                return
            self.prove() if action == "prove" else self.do(action)
            assert self.crisis.state == reached or not reached
        if state == "closed":
            self.do("close")

    def prove(self):
        """Evidence by Ben and a signature by Ada for whatever is not signed off yet."""
        for item in self.crisis.checklist.items.exclude(sign_offs__withdrawn__isnull=True, sign_offs__isnull=False):
            self.attach(item)
            self.sign(item)

    def attach(self, item, who="ben"):
        facts = {"summary": "Recall 0.95.", "link": "", "sha256": ""}
        return plan.attach_evidence(item_id=item.pk, **facts, actor=self.people[who].as_actor(), now=self.now)

    def sign(self, item, who="ada"):
        return plan.sign_off(item_id=item.pk, note_text="", actor=self.people[who].as_actor(), now=self.now)


@pytest.fixture
def room(crisis, request, now):
    return Room(crisis, now, {name: request.getfixturevalue(name) for name in ("ada", "ben", "cleo", "dan")})
