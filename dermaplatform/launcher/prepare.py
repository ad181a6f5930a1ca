"""Checks the settings, brings the database up to date and loads the demo.

A process of its own, so the launcher stays small.
"""

import os
import sys
from io import StringIO
from pathlib import Path

import django
from django.conf import settings
from django.core.checks import run_checks
from django.core.management import call_command

from dermaplatform.launcher.console import say


def checks_pass() -> bool:
    """Whether the system checks find no error; each that they find is said.

    Without the database: a release that administrators have chosen may be unfit, because the administration
    is where they choose another one.
    """
    errors = [found for found in run_checks() if found.is_serious() and not found.is_silenced()]
    for error in errors:
        say(" ".join(part for part in (error.msg, error.hint) if part), warning=True)
    return not errors


def main() -> int:
    """The exit status: 1 if a check failed. Whatever else fails is raised."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dermaplatform.settings")
    django.setup()
    if not checks_pass():
        return 1
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
