"""A program with three settings. It knows nothing of confsvc, nor of Vault: they are environment variables."""

import os

for name in ("LOG_LEVEL", "DATABASE_URL", "STRIPE_API_KEY"):
    value = os.environ[name]
    print(f"  {name:15} {value if name == 'LOG_LEVEL' else f'******** ({len(value)} characters)'}")
found = sorted(name for name in os.environ if name.startswith(("VAULT_", "BAO_")) and name != "VAULT_ADDR")
print(f"  what opens the store: {', '.join(found) or 'not here'}")
