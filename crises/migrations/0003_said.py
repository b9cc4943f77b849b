"""Receipts that say the same share their words, which are never changed; a receipt is found by its run, and by nothing else.

The receipts that are there keep their own words. SQLite forgets the trigger of a table that a later migration remakes.
"""

import django.db.models.deletion
from django.db import migrations, models

WORDS = "what receipts say is never changed"
SQLITE = [f"CREATE TRIGGER crises_said_no_update BEFORE UPDATE ON crises_said BEGIN SELECT RAISE(ABORT, '{WORDS}'); END"]
POSTGRES = [
    "CREATE FUNCTION crises_said_refuse() RETURNS trigger LANGUAGE plpgsql AS $$"
    f" BEGIN RAISE EXCEPTION '{WORDS}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
    "CREATE TRIGGER crises_said_no_update BEFORE UPDATE ON crises_said FOR EACH ROW EXECUTE FUNCTION crises_said_refuse()",
]
SQLITE_BACK = ["DROP TRIGGER crises_said_no_update"]
POSTGRES_BACK = ["DROP TRIGGER crises_said_no_update ON crises_said", "DROP FUNCTION crises_said_refuse()"]


def forwards(apps, editor):
    for statement in SQLITE if editor.connection.vendor == "sqlite" else POSTGRES:
        editor.execute(statement)


def backwards(apps, editor):
    for statement in SQLITE_BACK if editor.connection.vendor == "sqlite" else POSTGRES_BACK:
        editor.execute(statement)


def spell_out(apps, editor):
    """Give each receipt words of its own again."""
    earlier, receipts = apps.get_model("crises", "EarlierReceipt"), apps.get_model("crises", "Receipt").objects
    last = 0
    while rows := list(receipts.select_related("said").filter(run_id__gt=last).order_by("run_id")[:1000]):
        earlier.objects.bulk_create(
            [earlier(run_id=row.run_id, reply=row.own or {"id": row.run_id, "ref": f"R-{row.run_id}", **row.said.words}) for row in rows]
        )
        last = rows[-1].run_id


class Migration(migrations.Migration):
    dependencies = [("crises", "0002_kept_replies"), ("evals", "0004_one_index_less")]

    operations = [
        migrations.RenameModel("Receipt", "EarlierReceipt"),
        migrations.AlterField(
            "EarlierReceipt",
            "run",
            models.OneToOneField("evals.EvalRun", on_delete=django.db.models.deletion.PROTECT, related_name="+"),
        ),
        migrations.CreateModel(
            name="Said",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("words", models.JSONField(help_text="the reply without id and ref")),
            ],
            options={"verbose_name_plural": "said"},
        ),
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="receipt",
                        serialize=False,
                        to="evals.evalrun",
                    ),
                ),
                (
                    "said",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receipts",
                        to="crises.said",
                    ),
                ),
                ("own", models.JSONField(help_text="the whole reply, where no other run was told the same", null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("own__isnull", False), ("said__isnull", True)),
                            models.Q(("own__isnull", True), ("said__isnull", False)),
                            _connector="OR",
                        ),
                        name="receipt_says_once",
                    )
                ],
            },
        ),
        migrations.RunPython(migrations.RunPython.noop, spell_out),
        migrations.RunSQL(
            "INSERT INTO crises_receipt (run_id, own) SELECT run_id, reply FROM crises_earlierreceipt", migrations.RunSQL.noop
        ),
        migrations.DeleteModel("EarlierReceipt"),
        migrations.RunPython(forwards, backwards),
    ]
