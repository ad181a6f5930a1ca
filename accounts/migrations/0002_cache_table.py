from django.core.management import call_command
from django.db import migrations


def create(apps, schema_editor):
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


def drop(apps, schema_editor):
    schema_editor.execute("DROP TABLE IF EXISTS django_cache")


class Migration(migrations.Migration):
    """The shared cache lives in the database, and its table comes with the others."""

    dependencies = [("accounts", "0001_people")]

    operations = [migrations.RunPython(create, drop)]
