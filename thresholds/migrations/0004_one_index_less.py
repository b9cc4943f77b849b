"""The index of assessments by run goes: that of run, level and checkpoint begins with the run."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0003_lifecycle"), ("thresholds", "0003_frozen")]

    operations = [
        migrations.AlterField(
            model_name="assessment",
            name="run",
            field=models.ForeignKey(
                db_index=False, on_delete=models.deletion.PROTECT, related_name="assessments", to="evals.evalrun"
            ),
        ),
    ]
