"""The adapter for Vault and OpenBao, which speak the same API.

Reads go through ``confsvc.http``, side by side and within the deadline. hvac does the logins and the writes, over a
session that goes the same way, so that no request escapes its rules.
"""
