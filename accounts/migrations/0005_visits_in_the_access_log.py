from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from accounts import triggers

BEFORE = [
    ("patients", "the list of patients, with your name"),
    ("record", "your record"),
    ("profile", "your profile"),
    ("analyses", "the list of your analyses"),
    ("analysis", "an analysis"),
    ("image", "an image"),
]
NOW = [*BEFORE, ("visit", "a visit"), ("file", "a file of a visit")]


def guard(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """SQLite rebuilds the table to change a constraint, and forgets its triggers."""
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_access_log_triggers")]

    operations = [
        # On the way back the last thing that is done.
        migrations.RunPython(migrations.RunPython.noop, guard),
        migrations.RemoveConstraint(model_name="accessevent", name="access_opened_known"),
        migrations.AlterField(
            model_name="accessevent",
            name="opened",
            field=models.CharField(choices=NOW, max_length=10),
        ),
        migrations.AddConstraint(
            model_name="accessevent",
            constraint=models.CheckConstraint(
                condition=models.Q(opened__in=[value for value, _label in NOW]), name="access_opened_known"
            ),
        ),
        migrations.RunPython(guard, migrations.RunPython.noop),
    ]
