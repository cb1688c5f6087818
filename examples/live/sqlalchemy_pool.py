"""SQLAlchemy: a pool whose connections are always made with the credentials of now."""

from typing import Any

from shop_settings import Settings
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

import confsvc


def engine_for(live: confsvc.Live[Settings]) -> Engine:
    """Return an engine that takes new credentials without a restart."""
    engine = create_engine("postgresql+psycopg://", pool_pre_ping=True)

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _record: object, arguments: list[object], _options: object) -> object:
        def attempt() -> object:
            settings = live.current
            return dialect.connect(
                *arguments,
                host=settings.db_host,
                port=settings.db_port,
                dbname=settings.db_name,
                user=settings.db_user,
                password=settings.db_password.get_secret_value(),
            )

        # Somebody may have revoked them a moment ago: then there are others already.
        return live.retry(attempt, on=(OperationalError, dialect.dbapi.OperationalError))

    # Connections that are in use stay; those that wait are closed, and made anew.
    live.on_change(lambda _change: engine.dispose(), "DB_USER", "DB_PASSWORD", "DB_HOST", "DB_PORT", "DB_NAME")
    return engine


def who_am_i(engine: Engine) -> str:
    """Return the user that the database knows us as."""
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT current_user")).scalar())
