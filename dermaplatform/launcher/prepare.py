"""Brings the database up to date and loads the demo: a process of its own, so the launcher stays small."""

import os
from io import StringIO
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command

from dermaplatform.launcher.console import say


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dermaplatform.settings")
    django.setup()
    say("Bringing the database up to date …")
    call_command("migrate", interactive=False, verbosity=0)
    if not settings.DEBUG:
        say("Collecting static files …")
        call_command("collectstatic", interactive=False, verbosity=0)
    greeting = ""
    if settings.DEMO:
        from accounts.demo import ACCOUNTS, PASSWORD

        say("Loading demo accounts and data …")
        call_command("load_demo", verbosity=0, stdout=StringIO())
        greeting = f"\nDemo accounts, password {PASSWORD}:\n" + "".join(
            f"  {email:<20} {role}\n" for email, _, role in ACCOUNTS
        )
    greeting_path = Path(os.environ["DERMA_STATE_DIR"]) / "run" / "greeting.txt"
    greeting_path.write_text(greeting)


if __name__ == "__main__":
    main()
