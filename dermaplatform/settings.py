"""One settings module for every environment: what differs between them comes from environment variables.

Everything is safe by default. `make run` sets DEBUG and DEMO; docs/operations.md lists the variables.
"""

import socket
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from dermaplatform.logs import logging_config

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(env.str("DERMA_STATE_DIR", default=str(BASE_DIR / "var"))).resolve()
STATE_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("DEMO", default=False)
if DEMO and not DEBUG:
    raise ImproperlyConfigured("DEMO publishes accounts with a known password, so it works with DEBUG only.")
SECRET_KEY = env.str("SECRET_KEY", default="only-for-debug") if DEBUG else env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# What links in mails begin with.
SITE_URL = env.str(
    "SITE_URL",
    default=f"http://127.0.0.1:{env.str('PORT', default='8000')}" if DEBUG else f"https://{ALLOWED_HOSTS[0]}",
)
ROOT_URLCONF = "dermaplatform.urls"
WSGI_APPLICATION = "dermaplatform.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "accounts",
    "diagnosis",
    "appointments",
    "adminpanel",
    "dermaplatform.apps.PlatformConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "simple_history",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "dermaplatform.middleware.SafeByDefault",
    "dermaplatform.throttling.LimitByAddress",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.middleware.IdleTimeout",
    "accounts.middleware.OwnLanguageAndZone",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "accounts.middleware.SecondFactor",
]
if DEBUG:
    MIDDLEWARE.append("dermaplatform.middleware.OwnNotFound")

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.demo.context",
            ],
        },
    },
]

# --- Data -----------------------------------------------------------------------------------------------

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url("DATABASE_URL", default=f"sqlite:///{STATE_DIR / 'db.sqlite3'}"),
}
_database = DATABASES["default"]
# Celery would otherwise connect anew for every job, which costs a tenth of it.
_database["CONN_MAX_AGE"] = 60
_database["CONN_HEALTH_CHECKS"] = True
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE takes the write lock at the start: a transaction that reads and then writes would otherwise
    # fail at once under concurrency instead of waiting.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # What is deleted is overwritten: somebody who was erased is in no free page of the file either.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;",
    }
    # Tests with threads and processes need a file.
    _database["TEST"] = {"NAME": STATE_DIR / "test.sqlite3"}
else:
    _database["OPTIONS"] = {"connect_timeout": 5}

# Rate limits count here. Redis where there is one, and while it is silent the table: see docs/decisions/.
_TABLE = {
    "BACKEND": "dermaplatform.caches.TableCache",
    "LOCATION": "django_cache",
    "OPTIONS": {"MAX_ENTRIES": 1_000_000},  # a full table is culled, and limits would be forgotten
}
REDIS_URL = env.str("REDIS_URL", default="")
REDIS_PREFIX = env.str("REDIS_PREFIX", default="derma:")
CACHES: dict[str, dict[str, Any]] = {"default": _TABLE}
if REDIS_URL:
    _redis = {
        "BACKEND": "dermaplatform.caches.RedisOrTable",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{REDIS_PREFIX}cache",
        "OPTIONS": {"socket_connect_timeout": 0.25, "socket_timeout": 0.25},
    }
    CACHES = {"default": _redis, "table": _TABLE}

MEDIA_ROOT = Path(env.str("DERMA_MEDIA_DIR", default=str(STATE_DIR / "media")))
MEDIA_URL = ""  # nothing is served from it: diagnosis.views.analyses.image decides who sees what
FILE_UPLOAD_HANDLERS = ["diagnosis.uploads.BoundedUploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 2  # each is kept in memory; the form has two file fields

STATIC_URL = "static/"
STATIC_ROOT = STATE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- People ---------------------------------------------------------------------------------------------

# The address is unique, by a constraint that also sees through upper and lower case.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"

ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_FORMS = {
    "login": "accounts.allauth_forms.LoginForm",
    "change_password": "accounts.allauth_forms.ChangePasswordForm",
    "reset_password_from_key": "accounts.allauth_forms.ResetPasswordKeyForm",
}
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.SignupForm"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
# By address and by account ("key": the e-mail address that is tried, whether or not it has an account).
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "signup": "20/m/ip",
    "reset_password": "20/m/ip,5/m/key",
    "reset_password_from_key": "20/m/ip",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
    "manage_email": "10/m/user",
    "confirm_email": "1/3m/key",
}
ACCOUNT_EMAIL_NOTIFICATIONS = True  # a mail for what changes about the sign-in
HEADLESS_CLIENTS = ("app",)
HEADLESS_TOKEN_STRATEGY = "accounts.idle.IdleTokenStrategy"  # noqa: S105  (a class)
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_ADAPTER = "accounts.mfa_adapter.MFAAdapter"
MFA_TOTP_ISSUER = "Derma"
MFA_TOTP_TOLERANCE = 1  # a phone's clock may be half a minute wrong
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
MFA_FORMS = {
    "authenticate": "accounts.allauth_forms.CodeForm",
    "reauthenticate": "accounts.allauth_forms.CodeAgainForm",
    "activate_totp": "accounts.allauth_forms.ActivateAppForm",
    "add_webauthn": "accounts.allauth_forms.AddPasskeyForm",
    "edit_webauthn": "accounts.allauth_forms.EditPasskeyForm",
}

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://" if DEBUG else "smtp://localhost:25")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Derma <no-reply@localhost>")

# --- Jobs -----------------------------------------------------------------------------------------------

# A worker notices in about 25 s that Redis's machine is gone, instead of in two hours.
KEEPALIVE = {
    getattr(socket, name): value
    for name, value in {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}.items()
    if hasattr(socket, name)
}
DERMA_BROKER_DIR = STATE_DIR / "broker"
CELERY_BROKER_URL = REDIS_URL or "derma-files://localhost/"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {
        # Longer than any hard limit, or a long job would be handed out a second time.
        "visibility_timeout": 300,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "socket_keepalive_options": KEEPALIVE,
        "global_keyprefix": REDIS_PREFIX,
    }
    if REDIS_URL
    else {
        "data_folder_in": str(DERMA_BROKER_DIR / "messages"),
        "data_folder_out": str(DERMA_BROKER_DIR / "messages"),
        "processed_folder": str(DERMA_BROKER_DIR / "taken"),
        "control_folder": str(DERMA_BROKER_DIR / "control"),
    }
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = ["dermaplatform.celery.route"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
# The next bell is at hand when a job ends. Bells that die with a worker are rung again by the sweep.
CELERY_WORKER_PREFETCH_MULTIPLIER = 4
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Loading and warming up TensorFlow takes longer than the 4 s after which a starting child is killed.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 120
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    # A sweep that nobody ran before the next one is due is worth nothing: it must not pile up.
    "sweep-analyses": {
        "task": "diagnosis.tasks.sweep_analyses",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "sweep-mails": {
        "task": "accounts.tasks.sweep_mails",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "sweep-exports": {
        "task": "accounts.tasks.sweep_exports",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "sweep-appointments": {
        "task": "appointments.tasks.sweep_appointments",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "watch-licences": {
        "task": "accounts.tasks.watch_licences",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "sweep-files": {
        "task": "accounts.tasks.sweep_files",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
}

# --- The product's own ----------------------------------------------------------------------------------

DERMA_MAX_UPLOAD_BYTES = env.int("DERMA_MAX_UPLOAD_BYTES", default=15 * 1024 * 1024)
# A folder in ml_models/releases, above what administrators choose; empty: what they chose, or DEFAULT.
DERMA_RELEASE = env.str("DERMA_RELEASE", default="")
DERMA_LEASE_SECONDS = env.int("DERMA_LEASE_SECONDS", default=15)
DERMA_MAX_CLAIMS = 3
DERMA_RING_AGAIN_SECONDS = env.int("DERMA_RING_AGAIN_SECONDS", default=15)
DERMA_URGENT_WEEKS = env.int("DERMA_URGENT_WEEKS", default=2)
# Doctors and administrators need a second factor before they see anybody's data; idle, they are signed out.
DERMA_REQUIRE_MFA = env.bool("DERMA_REQUIRE_MFA", default=not DEMO)
DERMA_IDLE_MINUTES = env.int("DERMA_IDLE_MINUTES", default=15)
DERMA_BREAK_GLASS_MINUTES = env.int("DERMA_BREAK_GLASS_MINUTES", default=60)
DERMA_RETENTION_YEARS = env.int("DERMA_RETENTION_YEARS", default=10)
DERMA_HOLD_MINUTES = env.int("DERMA_HOLD_MINUTES", default=5)
DERMA_OFFER_MINUTES = env.int("DERMA_OFFER_MINUTES", default=30)  # of a time that the waitlist offers
DERMA_RECORD_DAYS = env.int("DERMA_RECORD_DAYS", default=90)  # after a visit, the doctor may open the record
DERMA_COMPLETE_HOURS = env.int("DERMA_COMPLETE_HOURS", default=24)  # after its end, a visit left checked in
DERMA_URGENT_DAYS = env.int("DERMA_URGENT_DAYS", default=3)  # an urgent result without a visit is brought up
# Where video visits take place: the room's name is added.
DERMA_VIDEO_BASE = env.str("DERMA_VIDEO_BASE", default="https://meet.jit.si/")
DERMA_EXPORT_DAYS = env.int("DERMA_EXPORT_DAYS", default=7)
# How many proxies stand before the web server; each adds an address to X-Forwarded-For, the last are theirs.
DERMA_TRUSTED_PROXIES = env.int("DERMA_TRUSTED_PROXIES", default=0)
# How often: an account, and an address with everybody behind it. 30 reads a second are always allowed, and a
# list that comes with all its pictures at once.
DERMA_RATES = {
    "api": {
        "account": env.str("DERMA_API_RATE", default="360/10s"),
        "address": env.str("DERMA_API_RATE_PER_ADDRESS", default="1500/10s"),
    },
    "upload": {
        "account": env.str("DERMA_UPLOAD_RATE", default="60/10m"),
        "address": env.str("DERMA_UPLOAD_RATE_PER_ADDRESS", default="300/10m"),
    },
}
# The nginx location that may serve the media folder; empty: the web server sends files itself.
DERMA_X_ACCEL = env.str("DERMA_X_ACCEL", default="")

# --- The web --------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["dermaplatform.authentication.SessionTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["dermaplatform.throttling.AccountThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "dermaplatform.problems.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    # What two serializers would name alike, or two fields differently.
    "ENUM_NAME_OVERRIDES": {
        "ExceptionKindEnum": "appointments.models.ExceptionKind",
        "LengthsEnum": "appointments.models.schedule.LENGTH_CHOICES",
        "ReasonsEnum": "diagnosis.api.serializers.REASONS",
    },
    "TITLE": "Derma",
    "DESCRIPTION": "Send a dermatoscopic image, read the calibrated result, see a doctor about it.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "dermaplatform.openapi.add_problems",
    ],
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "blob:", "data:"],  # blob: the preview before sending; data: Pico's form icons
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_HSTS_SECONDS = 0 if DEBUG else 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_HTTPONLY = True
if env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "dermaplatform.formats"
USE_TZ = True

LOGGING_CONFIG = None
logging_config(debug=DEBUG)
DJANGO_STRUCTLOG_CELERY_ENABLED = False
