"""A small HTTP/1.1 client for reading secrets: one deadline, no surprises, cheap to import.

It follows no redirect, uses no proxy, reads no environment variable and no netrc, decompresses nothing, and believes no
answer that is not whole. docs/http.md tells what it does and what it refuses.
"""

from confsvc.http.answers import number_of, object_of, table_of
from confsvc.http.client import Client
from confsvc.http.messages import Answer, Call
from confsvc.http.origin import Origin, parse_origin
from confsvc.http.retry import RetryPolicy, wait_before
from confsvc.http.tls import Tls, make_context

__all__ = [
    "Answer",
    "Call",
    "Client",
    "Origin",
    "RetryPolicy",
    "Tls",
    "make_context",
    "number_of",
    "object_of",
    "parse_origin",
    "table_of",
    "wait_before",
]
