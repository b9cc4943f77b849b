"""Every setting of the product, all from the environment; the defaults are the embedded way to run (SQLite, no server).

The variables are listed in docs/settings.md. `FSF_ENV=production` refuses to start without a secret key and host names.
"""

import secrets
import sys
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

ENV = env.str("FSF_ENV", "embedded")
if ENV not in {"embedded", "production"}:
    raise ImproperlyConfigured(f"FSF_ENV is {ENV!r}; it is 'embedded' or 'production'.")
PRODUCTION = ENV == "production"
TESTING = "pytest" in sys.modules
DEBUG = env.bool("FSF_DEBUG", False)
VAR_DIR = Path(env.str("FSF_VAR", str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)
VERSION = "0.1.0"


def _embedded_secret() -> str:
    """The embedded default keeps one random key beside its database, readable by its owner only."""
    path = VAR_DIR / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(64))
    return path.read_text()


SECRET_KEY = env.str("FSF_SECRET_KEY") if PRODUCTION else env.str("FSF_SECRET_KEY", "") or _embedded_secret()


def _peppers() -> dict[int, str]:
    """Peppers of the API tokens by number: the highest number hashes new tokens, the others still verify old ones."""
    first = env.str("FSF_TOKEN_PEPPER", "")
    found = {1: first} if first else {}
    for entry in env.list("FSF_TOKEN_PEPPERS", default=[]):
        number, _, pepper = entry.strip().partition(":")
        if not number.isdecimal() or not 1 <= int(number) <= 9999 or len(pepper) < 16 or int(number) in found:
            raise ImproperlyConfigured("FSF_TOKEN_PEPPERS is a list such as 2:...,3:... of new numbers, each with 16 characters or more.")
        found[int(number)] = pepper
    return found or {1: SECRET_KEY}


TOKEN_PEPPERS = _peppers()
ALLOWED_HOSTS = env.list("FSF_HOSTS") if PRODUCTION else env.list("FSF_HOSTS", default=["127.0.0.1", "localhost", "[::1]", "testserver"])
SITE_URL = env.str("FSF_URL", f"https://{ALLOWED_HOSTS[0]}" if PRODUCTION else "http://127.0.0.1:8000").rstrip("/")
CSRF_TRUSTED_ORIGINS = [SITE_URL] if PRODUCTION else []

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "accounts",
    "audit",
    "alerts",
    "evals",
    "thresholds",
    "mitigations",
    "crises",
    "gates",
    "fsf.web",
    "fsf",
]
AUTH_USER_MODEL = "accounts.User"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "fsf.paths.ApiDoor",  # the API path ends here: no session, no CSRF, no sign-in below
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "fsf.urls"
WSGI_APPLICATION = "fsf.wsgi.application"
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
                "fsf.web.frame.frame",
            ],
        },
    },
]
LOGIN_URL = "web:sign-in"
LOGIN_REDIRECT_URL = "web:overview"
LOGOUT_REDIRECT_URL = "web:sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]


def _database() -> dict[str, Any]:
    """SQLite with every acknowledged commit on disk, or PostgreSQL with a pool, server-side binding and prepared statements."""
    found: dict[str, Any] = dict(env.db_url("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'fsf.sqlite3'}"))
    if found["ENGINE"].endswith("sqlite3"):
        pragmas = "journal_mode=WAL synchronous=FULL foreign_keys=ON recursive_triggers=ON cache_size=-32000"
        found["OPTIONS"] = {
            **found.get("OPTIONS", {}),
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "".join(f"PRAGMA {pragma};" for pragma in pragmas.split()),
        }
    else:
        found["ENGINE"] = "database.postgresql"
        pool: dict[str, Any] = {"min_size": 2, "max_size": env.int("FSF_POOL", 8), "timeout": 10}
        found["OPTIONS"] = {
            **found.get("OPTIONS", {}),
            "server_side_binding": True,
            "prepare_threshold": 2,
            **({} if TESTING else {"pool": pool}),
        }
    return found


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("FSF_STATIC", str(VAR_DIR / "static")))
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_KEEP_ONLY_HASHED_FILES = False

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION


def _proxies(said: str) -> int:
    """How many proxies of ours a request comes through: `yes` is one."""
    words = {**dict.fromkeys(("", "off", "no", "false"), 0), **dict.fromkeys(("on", "yes", "true", "y", "ok"), 1)}
    if said.strip().lower() not in words and not (said.isdecimal() and int(said) <= 9):
        raise ImproperlyConfigured(f"FSF_BEHIND_PROXY is {said!r}; it is yes, no, or how many proxies of yours a request comes through.")
    return words[said.strip().lower()] if said.strip().lower() in words else int(said)


TRUSTED_PROXIES = _proxies(env.str("FSF_BEHIND_PROXY", ""))
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
IMPORT_MAX_BYTES = env.int("FSF_IMPORT_MAX_BYTES", 200 * 1024 * 1024)

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["fsf.api.authentication.BearerToken"],
    "DEFAULT_PERMISSION_CLASSES": ["fsf.api.authentication.HasScope", "fsf.api.idempotency.OnceOnly"],
    "DEFAULT_PARSER_CLASSES": ["fsf.api.strict_json.StrictJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["fsf.api.filters.ByParameters"],
    "DEFAULT_RENDERER_CLASSES": ["fsf.api.strict_json.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "fsf.api.openapi.Described",
    "EXCEPTION_HANDLER": "fsf.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "fsf",
    "DESCRIPTION": "Post capability evaluation results, read the state of every level, ask the deployment gate.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": [],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "fsf.api.openapi.manners"],
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "defaultModelsExpandDepth": -1, "persistAuthorization": False},
}

REDIS_URL = env.str("REDIS_URL", "")
# Requests a minute: of one token, and with wrong tokens from one address. 0 is no limit.
RATE_TOKEN = env.int("FSF_RATE_TOKEN", 120_000)
RATE_FAILED = env.int("FSF_RATE_FAILED", 60)
BROKER_DIR = VAR_DIR / "broker"
CELERY_BROKER_URL = REDIS_URL or "filesystem://localhost"
CELERY_BROKER_TRANSPORT = "" if REDIS_URL else "fsf.doorbell:Transport"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {"socket_timeout": 5, "socket_connect_timeout": 1, "visibility_timeout": 300}
    if REDIS_URL
    else {
        "data_folder_in": str(BROKER_DIR / "messages"),
        "data_folder_out": str(BROKER_DIR / "messages"),
        "control_folder": str(BROKER_DIR / "control"),
        "store_processed": False,
    }
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ALWAYS_EAGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE: dict[str, Any] = {
    "deliver-alerts": {"task": "alerts.deliver_due", "schedule": 3.0},
    "run-schedules": {"task": "evals.tick", "schedule": 2.0},
    "answer-unanswered": {"task": "crises.sweep", "schedule": 10.0},
    "look-ahead": {"task": "thresholds.sweep", "schedule": 30.0},
    "watch-runs": {"task": "crises.watch_runs", "schedule": 10.0},
}

# In production alerts must reach people: without an address of a mail server it does not start.
EMAIL_URL = env.str("EMAIL_URL") if PRODUCTION else env.str("EMAIL_URL", "")
if EMAIL_URL:
    vars().update(env.email_url("EMAIL_URL"))
    EMAIL_TIMEOUT = 10
else:
    EMAIL_BACKEND = "alerts.channels.eml.EmlBackend"
EMAIL_FILE_PATH = VAR_DIR / "mail"
DEFAULT_FROM_EMAIL = env.str("FSF_MAIL_FROM", "fsf alerts <alerts@fsf.example.org>")
MAIL_DOMAIN = DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")

# Minutes in which a person must acknowledge a crisis before it escalates by itself.
ACKNOWLEDGE_MINUTES = env.int("FSF_ACKNOWLEDGE_MINUTES", 60)
# Minutes without a sign after which a started run is lost, where its producer declared no interval of its own.
LOST_MINUTES = env.int("FSF_LOST_MINUTES", 15)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request": {"()": "fsf.api.request_ids.WithRequestId"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request"]}},
    "root": {"handlers": ["stderr"], "level": env.str("FSF_LOG_LEVEL", "WARNING")},
}
