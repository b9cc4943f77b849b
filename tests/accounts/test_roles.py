import pytest

from accounts.roles import ALLOWED, SYSTEM, Actor, Kind, NotAllowed, Reach, Role, check_reach, require

ACTIONS = sorted(set().union(*ALLOWED.values()))
ADA = Actor(Kind.PERSON, "Ada Safety", 1, Role.SAFETY_LEAD)

MAY = {
    Role.SAFETY_LEAD: set(ACTIONS),
    Role.EVAL_ENGINEER: {
        "accounts.tokens",
        "crises.acknowledge",
        "crises.start",
        "crises.update",
        "evals.invalidate",
        "evals.register",
        "mitigations.assign",
        "mitigations.attach",
        "mitigations.sign_off",
        "thresholds.draft",
        "thresholds.flag",
    },
    Role.AUDITOR: set(),
    Role.MEMBER: {"crises.update", "mitigations.attach"},
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", Role)
def test_a_role_may_do_what_the_table_says_and_nothing_else(role, action):
    actor = Actor(Kind.PERSON, "Somebody", 7, role)
    if action in MAY[role]:
        assert require(actor, action) == 7
    else:
        with pytest.raises(NotAllowed, match=f"Somebody may not do '{action}'"):
            require(actor, action)


def test_only_a_safety_lead_decides():
    deciding = {
        "crises.ready",
        "crises.close",
        "crises.reopen",
        "crises.escalate",
        "thresholds.sign_down",
        "gates.decide",
        "thresholds.publish",
    }
    assert [role for role in Role if deciding & ALLOWED[role]] == [Role.SAFETY_LEAD]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "actor",
    [
        SYSTEM,
        Actor(Kind.SERVICE, "nightly", 1),
        Actor(Kind.SERVICE, "nightly", 1, Role.SAFETY_LEAD),
        Actor(Kind.PERSON, "Nobody", None, Role.SAFETY_LEAD),
    ],
)
def test_nobody_but_a_named_person_with_a_role_does_anything(actor, action):
    with pytest.raises(NotAllowed, match="must be done by a named person"):
        require(actor, action)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_person_without_a_role_does_nothing(action):
    with pytest.raises(NotAllowed, match="The account of Ex Colleague is not active"):
        require(Actor(Kind.PERSON, "Ex Colleague", 3), action)


def test_an_action_that_nobody_has_is_refused():
    with pytest.raises(NotAllowed):
        require(ADA, "gates.force_pass")


def test_a_refusal_carries_its_action():
    with pytest.raises(NotAllowed) as refused:
        require(SYSTEM, "crises.close")
    assert refused.value.action == "crises.close"


BY_TOKEN = {Role.SAFETY_LEAD: {"evals.register"}, Role.EVAL_ENGINEER: {"evals.register"}}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", Role)
def test_by_a_token_a_person_registers_and_does_nothing_else_of_the_table(role, action):
    actor = Actor(Kind.PERSON, "Somebody", 7, role, token="0d71c69b")
    if action in BY_TOKEN.get(role, set()):
        assert require(actor, action) == 7
    else:
        with pytest.raises(NotAllowed):
            require(actor, action)


@pytest.mark.parametrize("action", sorted(set(ACTIONS) - {"evals.register"}))
def test_what_a_lead_does_by_hand_says_so_to_the_leads_token(action):
    with pytest.raises(NotAllowed, match="must be done by hand"):
        require(Actor(Kind.PERSON, "Ada Safety", 1, Role.SAFETY_LEAD, token="0d71c69b"), action)


REACHES = Actor(Kind.SERVICE, "nightly", 1, reach=Reach(frozenset({"aurora"}), frozenset({"ctf"})), token="0d71c69b")


@pytest.mark.parametrize(
    "about", [{}, {"model": "aurora"}, {"evaluation": "ctf"}, {"evaluation": "ctf@2"}, {"model": "aurora", "evaluation": "ctf@1"}]
)
def test_a_restricted_token_reaches_its_own(about):
    check_reach(REACHES, **about)
    check_reach(ADA, **about)


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"model": "borealis"}, "does not reach the model 'borealis'"),
        ({"model": "borealis", "checkpoint": "borealis-1"}, "does not reach the checkpoint 'borealis-1'; use"),
        ({"model": "borealis", "what": "R-3"}, "does not reach R-3; use"),
        ({"model": "aurora", "evaluation": "bio@1"}, "does not reach the evaluation 'bio'"),
        ({"model": "borealis", "evaluation": "ctf"}, "does not reach the model"),
        ({"evaluation": "ctf-2"}, "does not reach the evaluation 'ctf-2'"),
        ({"model": "AURORA"}, "does not reach the model"),
    ],
)
def test_a_restricted_token_reaches_nothing_else(about, says):
    with pytest.raises(NotAllowed, match=says):
        check_reach(REACHES, **about)
    check_reach(ADA, **about)


@pytest.mark.parametrize(
    ("ours", "theirs", "within"),
    [
        (({"a"}, set()), (set(), set()), True),
        ((set(), set()), ({"a"}, set()), False),
        (({"a"}, set()), ({"a", "b"}, set()), True),
        (({"a", "c"}, set()), ({"a", "b"}, set()), False),
        (({"a"}, set()), ({"a"}, {"x"}), False),
        (({"a"}, {"x"}), ({"a"}, {"x", "y"}), True),
    ],
)
def test_no_restriction_reaches_further_than_any(ours, theirs, within):
    ours, theirs = (Reach(frozenset(models), frozenset(evaluations)) for models, evaluations in (ours, theirs))
    assert ours.within(theirs) is within
