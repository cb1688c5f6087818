"""PostgreSQL with the credentials of now: `ENGINE` in `DATABASES` names this package."""
