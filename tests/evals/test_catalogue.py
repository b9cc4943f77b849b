import datetime as dt

import pytest

from accounts.roles import SYSTEM, NotAllowed, Refused
from audit.models import Entry
from evals.catalogue import AlreadyRegistered, UnknownEvaluation, find_evaluation, register_checkpoint, register_evaluation, register_model
from evals.models import Checkpoint, Evaluation, FrontierModel

pytestmark = pytest.mark.django_db
EVALUATION = {"slug": "ctf", "version": "1", "name": "Capture the flag", "unit": "proportion", "direction": "higher", "n_tasks": 12}


@pytest.fixture
def aurora(now):
    return register_model(slug="aurora", name="Aurora", developer="Northwind", actor=SYSTEM, now=now)


@pytest.fixture
def checkpoint(aurora, now):
    def register(actor=SYSTEM, model=aurora, **fields):
        return register_checkpoint(model=model, fields={"slug": "aurora-1", "name": "Aurora 1", **fields}, actor=actor, now=now)

    return register


@pytest.fixture
def evaluation(now):
    return lambda actor=SYSTEM, **fields: register_evaluation(fields={**EVALUATION, **fields}, actor=actor, now=now)


def test_the_same_model_again_is_the_same_row_and_one_entry(aurora, now):
    assert register_model(slug="aurora", name="Aurora", developer="Northwind", actor=SYSTEM, now=now) == aurora
    assert (FrontierModel.objects.count(), Entry.objects.count()) == (1, 1)


@pytest.mark.parametrize("named", [{"developer": "All labs"}, {"family": " all LABS"}])
def test_the_name_of_all_labs_together_is_nobodys_own(now, named):
    with pytest.raises(Refused, match="all developers together"):
        register_model(**{"slug": "aurora", "name": "Aurora", "developer": "Northwind", **named}, actor=SYSTEM, now=now)
    assert not FrontierModel.objects.exists()


@pytest.mark.parametrize("other", [{"name": "Borealis"}, {"developer": "Southwind"}])
def test_a_model_is_never_redefined(aurora, now, other):
    with pytest.raises(AlreadyRegistered, match="register it under another name"):
        register_model(**{"slug": "aurora", "name": "Aurora", "developer": "Northwind", **other}, actor=SYSTEM, now=now)
    aurora.refresh_from_db()
    assert (aurora.name, aurora.developer) == ("Aurora", "Northwind")


def test_a_checkpoint_is_registered_once_with_what_is_known_of_it(checkpoint):
    parent = checkpoint(effective_compute=1e26, released=dt.date(2026, 1, 1))
    child = checkpoint(slug="aurora-2", parent=parent, relation="fine-tune")
    assert checkpoint(effective_compute=1e26, released=dt.date(2026, 1, 1)) == parent
    assert (child.parent, child.relation, Checkpoint.objects.count()) == (parent, "fine-tune", 2)


@pytest.mark.parametrize("other", [{"name": "Aurora One"}, {"effective_compute": 2e26}, {"released": dt.date(2026, 1, 2)}])
def test_a_checkpoint_is_never_redefined(checkpoint, other):
    checkpoint(effective_compute=1e26, released=dt.date(2026, 1, 1))
    with pytest.raises(AlreadyRegistered):
        checkpoint(**other)


def test_a_checkpoint_never_moves_to_another_model(checkpoint, now):
    checkpoint()
    other = register_model(slug="borealis", name="Borealis", developer="Northwind", actor=SYSTEM, now=now)
    with pytest.raises(AlreadyRegistered, match="model_id"):
        checkpoint(model=other)


def test_another_definition_needs_another_version(evaluation):
    first = evaluation()
    with pytest.raises(AlreadyRegistered, match="n_tasks 12, not 13"):
        evaluation(n_tasks=13)
    assert evaluation() == first
    assert evaluation(version="2", n_tasks=13).key == "ctf@2"
    assert Evaluation.objects.count() == 2


def test_registering_is_audited_with_what_was_registered(evaluation, checkpoint):
    evaluation()
    checkpoint()
    assert list(Entry.objects.order_by("seq").values_list("action", "about")) == [
        ("evals.model.register", "model:aurora"),
        ("evals.evaluation.register", "evaluation:ctf@1"),
        ("evals.checkpoint.register", "checkpoint:aurora-1"),
    ]
    assert Entry.objects.get(about="evaluation:ctf@1").data["n_tasks"] == 12


@pytest.mark.parametrize("who", ["cleo", "dan"])
def test_a_person_without_the_right_registers_nothing(request, who, checkpoint, evaluation, now):
    actor = request.getfixturevalue(who).as_actor()
    refused = [
        lambda: register_model(slug="x", name="X", developer="Northwind", actor=actor, now=now),
        lambda: checkpoint(actor),
        lambda: evaluation(actor),
    ]
    for register in refused:
        with pytest.raises(NotAllowed):
            register()
    assert (Checkpoint.objects.count(), Evaluation.objects.count(), FrontierModel.objects.count()) == (0, 0, 1)


def test_an_engineer_may_register(ben, checkpoint, evaluation):
    assert checkpoint(ben.as_actor()).slug == "aurora-1"
    assert evaluation(ben.as_actor()).key == "ctf@1"


def test_an_evaluation_is_found_by_its_version_or_where_it_has_one_only(evaluation):
    first = evaluation()
    assert find_evaluation("ctf") == find_evaluation("ctf@1") == first
    second = evaluation(version="2")
    assert find_evaluation("ctf@2") == second
    with pytest.raises(UnknownEvaluation, match="several versions; post one of ctf@1, ctf@2"):
        find_evaluation("ctf")


@pytest.mark.parametrize("name", ["", "@", "@1", "ctf@", "ctf@3", "ctf@1@1", "CTF@1", "other", "ctf @1"])
def test_a_name_that_is_not_registered_is_unknown(evaluation, name):
    evaluation()
    evaluation(version="2")
    with pytest.raises(UnknownEvaluation):
        find_evaluation(name)
