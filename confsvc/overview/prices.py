"""What stores charge, in one table: list prices of one region, as their pages had them."""

from decimal import Decimal
from typing import NamedTuple

__all__ = ["AS_OF", "PRICES", "REGION", "Price"]

REGION = "us-east-1, and Google Cloud's global price"
AS_OF = "2025"

_MANY = 10_000


class Price(NamedTuple):
    """``dollars`` for ``per`` of ``what``; where ``is_kept``, for a month of keeping them, else for each one made."""

    what: str
    dollars: Decimal
    per: int
    source: str
    is_kept: bool = False


_SECRETS = "https://aws.amazon.com/secrets-manager/pricing/"
_SYSTEMS = "https://aws.amazon.com/systems-manager/pricing/"
_GOOGLE = "https://cloud.google.com/secret-manager/pricing"

PRICES = {
    "aws-sm.call": Price("API calls to Secrets Manager", Decimal("0.05"), _MANY, _SECRETS),
    "aws-sm.secret": Price("secrets in Secrets Manager", Decimal("0.40"), 1, _SECRETS, is_kept=True),
    "aws-ssm.call": Price("parameters read at standard throughput", Decimal(0), _MANY, _SYSTEMS),
    "aws-ssm.parameter": Price("standard parameters in Parameter Store", Decimal(0), 1, _SYSTEMS, is_kept=True),
    "gcp-sm.access": Price("access operations of Secret Manager", Decimal("0.03"), _MANY, _GOOGLE),
    "gcp-sm.version": Price("active versions in Secret Manager", Decimal("0.06"), 1, _GOOGLE, is_kept=True),
}
