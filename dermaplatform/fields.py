"""Fields that serializers of all apps use."""

from typing import Any

from rest_framework import serializers


class Flag(serializers.BooleanField):
    """`true` or `false`, and nothing that resembles them, as the OpenAPI document says."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data
