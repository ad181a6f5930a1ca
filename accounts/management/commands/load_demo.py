from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from accounts import demo


class Command(BaseCommand):
    help = "Load the demo accounts and what belongs to them. Safe to repeat; works in demo mode only."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            users = demo.load()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        for user in users:
            self.stdout.write(f"{user.get_role_display():<14} {user.email}")
