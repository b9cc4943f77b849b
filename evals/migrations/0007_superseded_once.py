"""On PostgreSQL the index of what a run supersedes holds the few runs that supersede one, and not an entry for every run."""

from django.db import migrations

FEW = (
    "ALTER TABLE evals_evalrun DROP CONSTRAINT IF EXISTS evals_evalrun_supersedes_id_key",
    "CREATE UNIQUE INDEX run_superseded_once ON evals_evalrun (supersedes_id) WHERE supersedes_id IS NOT NULL",
)
ALL = (
    "ALTER TABLE evals_evalrun ADD CONSTRAINT evals_evalrun_supersedes_id_key UNIQUE (supersedes_id)",
    "DROP INDEX run_superseded_once",
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
    dependencies = [("evals", "0006_rare_runs")]
    operations = [migrations.RunPython(forwards, backwards)]
