"""The index of results by run goes: that of run and metric begins with the run."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0003_lifecycle")]

    operations = [
        migrations.AlterField(
            model_name="evalresult",
            name="run",
            field=models.ForeignKey(
                db_index=False, on_delete=models.deletion.PROTECT, related_name="results", to="evals.evalrun"
            ),
        ),
    ]
