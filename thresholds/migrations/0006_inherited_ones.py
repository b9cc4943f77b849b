"""On PostgreSQL the index of inherited assessments holds those, and not an entry for every assessment."""

from django.db import migrations

FEW = (
    "DROP INDEX IF EXISTS thresholds_assessment_inherited_id_a2e66ce9",
    "CREATE INDEX assessment_inherited ON thresholds_assessment (inherited_id) WHERE inherited_id IS NOT NULL",
)
ALL = (
    "CREATE INDEX thresholds_assessment_inherited_id_a2e66ce9 ON thresholds_assessment (inherited_id)",
    "DROP INDEX assessment_inherited",
)


def _run(editor, statements):
    if editor.connection.vendor == "postgresql":
        for statement in statements:
            editor.execute(statement)


def forwards(apps, editor):
    _run(editor, FEW)


def backwards(apps, editor):
    _run(editor, ALL)


class Migration(migrations.Migration):
    dependencies = [("thresholds", "0005_room_to_update")]
    operations = [migrations.RunPython(forwards, backwards)]
