"""Django's settings. What changes while it runs is not copied from here: see `rotating`."""

from shop_settings import Settings

import confsvc

live = confsvc.watch(Settings)

ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
DATABASES = {"default": {"ENGINE": "django_site.rotating"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "django_site.urls"
SECRET_KEY = "not used here: no sessions, no signing"  # noqa: S105 - an example
USE_TZ = True
WSGI_APPLICATION = "django_site.wsgi.application"
