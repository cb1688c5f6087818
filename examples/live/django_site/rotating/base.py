"""Django asks for the parameters of each connection that it makes; here they are those of now."""

from typing import Any

from django.db.backends.postgresql import base

from django_site.settings import live

__all__ = ["DatabaseWrapper"]


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]
    """As Django's own, but for where host, user and password come from."""

    def get_connection_params(self) -> dict[str, Any]:
        """Return what psycopg connects with."""
        settings = live.current
        self.settings_dict["NAME"] = settings.db_name
        parameters: dict[str, Any] = super().get_connection_params()
        return parameters | {
            "host": settings.db_host,
            "port": settings.db_port,
            "user": settings.db_user,
            "password": settings.db_password.get_secret_value(),
        }

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect; where that fails, look for newer credentials first, and try once more."""
        connect = super().get_new_connection
        parameters = [conn_params]

        def attempt() -> Any:
            return connect(parameters.pop() if parameters else self.get_connection_params())

        return live.retry(attempt, on=self.Database.OperationalError)
