"""A process that takes from a bucket: `python taker.py FILE COUNT` prints how often it may."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

    import django

    django.setup()
    from sessions_app.api.limits import Buckets

    buckets = Buckets(Path(sys.argv[1]))
    print(sum(buckets.take(5, 100, now=50.0) == 0 for _ in range(int(sys.argv[2]))))
