"""A start keeps whose it is by kind and id; what was stored before keeps nothing and is known by name."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0004_one_index_less")]

    operations = [
        migrations.AddField(
            model_name="heartbeat",
            name="owner",
            field=models.CharField(
                blank=True, help_text="kind and id of the account that started it; empty where none was kept", max_length=80
            ),
        ),
    ]
