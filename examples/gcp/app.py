"""A program that knows nothing of confsvc: it reads environment variables, and shows what is no secret."""

import os


def main() -> None:
    """Show the settings."""
    print(f"  SHOP_LOG_LEVEL  {os.environ['SHOP_LOG_LEVEL']}")
    print(f"  SHOP_PORT       {os.environ['SHOP_PORT']}")
    print(f"  DATABASE_URL    ******** ({len(os.environ['DATABASE_URL'])} characters)", flush=True)


if __name__ == "__main__":
    main()
