"""A plain script that works for a long time."""

import time

from shop_settings import Settings

import confsvc

if __name__ == "__main__":
    with confsvc.watch(Settings) as live:
        live.on_change(lambda change: print("changed:", ", ".join(change.names), flush=True))
        while live.current.greeting != "goodbye":
            settings = live.current  # one set for one piece of work: what belongs together stays together
            print(settings.greeting, flush=True)
            time.sleep(0.5)
