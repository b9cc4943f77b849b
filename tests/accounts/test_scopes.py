import pytest

from accounts.roles import Role
from accounts.scopes import SCOPES, given_by, held_by

LOOKING = {"read", "gate:read", "export"}
WORKING = LOOKING | {"runs:write", "catalogue:write", "tokens:write"}


@pytest.mark.parametrize(
    ("role", "gives"),
    [
        (Role.SAFETY_LEAD, set(SCOPES)),
        (Role.EVAL_ENGINEER, WORKING),
        (Role.AUDITOR, LOOKING),
        (Role.MEMBER, LOOKING),
        (None, set()),
    ],
)
def test_a_role_gives_what_the_table_says(role, gives):
    assert given_by(role) == gives


@pytest.mark.parametrize("role", [*Role, None])
def test_nobody_states_a_labs_determination_by_their_own_token(role):
    assert held_by(role) == given_by(role) - {"determinations:write"}
