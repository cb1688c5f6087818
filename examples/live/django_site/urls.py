"""The site's pages."""

import os

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

from django_site.settings import live


def greet(_request: HttpRequest) -> JsonResponse:
    """Say hello."""
    return JsonResponse({"greeting": live.current.greeting, "pid": os.getpid()})


def user(_request: HttpRequest) -> JsonResponse:
    """Ask the database who we are to it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return JsonResponse({"user": cursor.fetchone()[0]})


urlpatterns = [path("", greet), path("user", user)]
