"""On PostgreSQL a level's row is written anew where it stands: its page has room for the next version, and no version is compressed.

Each result rewrites the row of its level. Without room the new version goes to another page and into every index, and old versions are
walked past until they are swept away; compressing 3 kB at each of them took as long as writing them.
"""

from django.db import migrations

STORED = "ALTER TABLE thresholds_levelstatus SET (fillfactor = 50, toast_tuple_target = 8160)"
AS_BEFORE = "ALTER TABLE thresholds_levelstatus RESET (fillfactor, toast_tuple_target)"


def forwards(apps, editor):
    if editor.connection.vendor == "postgresql":
        editor.execute(STORED)


def backwards(apps, editor):
    if editor.connection.vendor == "postgresql":
        editor.execute(AS_BEFORE)


class Migration(migrations.Migration):
    dependencies = [("thresholds", "0004_one_index_less")]
    operations = [migrations.RunPython(forwards, backwards)]
