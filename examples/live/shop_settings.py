"""What every program here needs. Frozen, so that Python itself refuses to change a set that others read."""

from pydantic import BaseModel, ConfigDict, SecretStr


class Settings(BaseModel):
    """The settings; their names in the manifest are in capitals."""

    model_config = ConfigDict(frozen=True)

    greeting: str = "hello"
    broker_url: str = "memory://"
    db_host: str = "127.0.0.1"
    db_port: int = 5432
    db_name: str = "postgres"
    db_user: str = "shop"
    db_password: SecretStr = SecretStr("")
