"""A trigger that refuses a sign-off by whoever owned the item once or attached evidence to it, however the row is written."""

from django.db import migrations

DID_IT = (
    "EXISTS (SELECT 1 FROM mitigations_evidence e WHERE e.item_id = NEW.item_id AND e.attached_by_id = NEW.signed_by_id)"
    " OR EXISTS (SELECT 1 FROM mitigations_assignment a WHERE a.item_id = NEW.item_id AND a.owner_id = NEW.signed_by_id)"
)
WORDS = "an item is signed off by another person than those who did it"
SQLITE = [
    f"CREATE TRIGGER sign_off_by_another_hand_{name} BEFORE {event} ON mitigations_signoff WHEN {DID_IT}"
    f" BEGIN SELECT RAISE(ABORT, '{WORDS}'); END"
    for name, event in (("insert", "INSERT"), ("update", "UPDATE OF signed_by_id, item_id"))
]
POSTGRES = [
    f"CREATE FUNCTION sign_off_by_another_hand() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {DID_IT} THEN"
    f" RAISE EXCEPTION '{WORDS}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$",
    "CREATE TRIGGER sign_off_by_another_hand BEFORE INSERT OR UPDATE OF signed_by_id, item_id ON mitigations_signoff"
    " FOR EACH ROW EXECUTE FUNCTION sign_off_by_another_hand()",
]
SQLITE_BACK = ["DROP TRIGGER sign_off_by_another_hand_insert", "DROP TRIGGER sign_off_by_another_hand_update"]
POSTGRES_BACK = ["DROP TRIGGER sign_off_by_another_hand ON mitigations_signoff", "DROP FUNCTION sign_off_by_another_hand()"]


def forwards(apps, editor):
    for statement in SQLITE if editor.connection.vendor == "sqlite" else POSTGRES:
        editor.execute(statement)


def backwards(apps, editor):
    for statement in SQLITE_BACK if editor.connection.vendor == "sqlite" else POSTGRES_BACK:
        editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("mitigations", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards)]
