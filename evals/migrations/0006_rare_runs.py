"""Lists of runs that did not succeed or are not complete are read off an index of their own, which no other run is in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0005_heartbeat_owner")]

    operations = [
        migrations.AddIndex(
            model_name="evalrun",
            index=models.Index(
                condition=models.Q(status="started") | models.Q(status="error") | models.Q(status="cancelled") | models.Q(status="lost"),
                fields=["status", "id"],
                name="run_unsuccessful",
            ),
        ),
        migrations.AddIndex(
            model_name="evalrun",
            index=models.Index(condition=models.Q(complete=False), fields=["id"], name="run_incomplete"),
        ),
    ]
