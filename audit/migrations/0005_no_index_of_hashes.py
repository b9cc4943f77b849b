"""Hashes have no index any more: nothing looks one up, and `audit.log.verify` computes each anew.

They come in no order, so that with a million entries each new one was written to a page of its own, while everyone waited for the head.
On SQLite the constraint stays, for its table could only be made anew without the triggers that protect it.
"""

from django.db import migrations, models


def forwards(apps, editor):
    if editor.connection.vendor == "postgresql":
        editor.execute("ALTER TABLE audit_entry DROP CONSTRAINT IF EXISTS audit_entry_hash_key")


def backwards(apps, editor):
    if editor.connection.vendor == "postgresql":
        editor.execute("ALTER TABLE audit_entry ADD CONSTRAINT audit_entry_hash_key UNIQUE (hash)")


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_append_at_once")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forwards, backwards)],
            state_operations=[migrations.AlterField("entry", "hash", models.CharField(max_length=64))],
        ),
    ]
