"""An app that knows nothing of confsvc."""

import os

if __name__ == "__main__":
    print(f"log level {os.environ['LOG_LEVEL']}, a database URL of {len(os.environ['DATABASE_URL'])} characters")
