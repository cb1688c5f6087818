"""The adapters that read this machine: ``dotenv``, ``env``, ``file`` and ``dir``."""
