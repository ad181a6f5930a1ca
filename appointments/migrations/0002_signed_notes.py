from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from appointments import note_triggers


def install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    note_triggers.install(schema_editor.connection)


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    note_triggers.remove(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("appointments", "0001_appointments")]

    operations = [
        migrations.CreateModel(
            name="NoteGate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                )
            ],
        ),
        migrations.RunPython(install, remove),
    ]
