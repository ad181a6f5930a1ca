"""Is everything there that a result needs? Answered from rows and one short ping, not by asking workers."""

from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.db import Error, connection
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from diagnosis.selectors import inference_worker_state, refusals

_PING_SECONDS = 0.1


def database_state() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return "not reachable"
    return "ok"


def broker_state() -> str:
    """`ok`, or what is wrong, within about 0.1 s."""
    if not settings.REDIS_URL:
        folder = Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_in"])
        return "ok" if folder.is_dir() else "folder is missing"
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=_PING_SECONDS, socket_timeout=_PING_SECONDS
        ) as client:
            client.ping()
    except (redis.RedisError, OSError):
        return "not reachable"
    return "ok"


class HealthSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["ok", "unavailable"])
    web = serializers.CharField()
    database = serializers.CharField()
    broker = serializers.CharField()
    worker = serializers.CharField()
    missing = serializers.ListField(child=serializers.CharField(), help_text="Which of them are not `ok`.")
    refusals = serializers.ListField(
        child=serializers.CharField(),
        help_text="Why inference processes take no jobs, a sentence each, also while others are fit.",
    )


class HealthView(APIView):
    """200 if web, database, broker and a warmed-up worker are there, else 503 naming what is missing."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses={200: HealthSerializer, 503: HealthSerializer})
    def get(self, request: Request) -> Response:
        parts = {"web": "ok", "database": database_state(), "broker": broker_state()}
        is_readable = parts["database"] == "ok"
        parts["worker"] = inference_worker_state() if is_readable else "unknown"
        missing = [name for name, state in parts.items() if state != "ok"]
        refused = refusals() if is_readable else []
        return Response(
            {"status": "unavailable" if missing else "ok", **parts, "missing": missing, "refusals": refused},
            status=503 if missing else 200,
            headers={"Cache-Control": "no-store"},
        )
