"""A process that appends with the keys of a race: `python racer.py PORT SECRET PATH ROUNDS`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.api.over_http import Caller

    port, secret, path, rounds = sys.argv[1:]
    caller = Caller(int(port), secret)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(rounds)):
        body = {"messages": [{"role": "user", "content": f"round {number}"}]}
        reply = caller.insist("POST", path, body, Idempotency_Key=f"round-{number}")
        print(json.dumps([reply.status, reply.body.decode()]), flush=True)
