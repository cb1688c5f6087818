"""What the service needs, declared once."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field, PostgresDsn, Secret, SecretStr, model_validator


class Database(BaseModel):
    """Where the subscribers are. ``DATABASE`` is all of it as JSON, ``DATABASE__URL`` one part."""

    url: Secret[PostgresDsn]
    pool_size: int = Field(5, ge=1, le=50)
    timeout: timedelta = timedelta(seconds=5)


class Settings(BaseModel):
    """Everything that differs from one environment to another."""

    database: Database
    smtp_password: SecretStr
    sender: str = Field(description="The address that newsletters come from")
    log_level: Literal["debug", "info", "warning"] = "info"
    batch_size: int = Field(100, ge=1)
    topics: list[str] = []

    @model_validator(mode="after")
    def fits_the_pool(self) -> "Settings":
        """A rule across fields: it is checked before anything starts."""
        if self.batch_size < self.database.pool_size:
            raise ValueError("a batch is smaller than the pool of connections")
        return self
