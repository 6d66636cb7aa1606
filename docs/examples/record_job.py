"""Record a job of many steps, save its state now and then, and go on where it stopped.

    BASE=http://127.0.0.1:8000/api/v1 TOKEN=ags_... python record_job.py NAME [STEPS]

Start it again after a crash, here or on another machine: it finds its session by NAME, takes the
latest good snapshot and goes on from there. It needs nothing but Python 3.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

EVERY = 10  # steps from one snapshot to the next


def ask(method, path, body=None, key=None):
    """One call; it is sent again, with the same key, until the server has answered it."""
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if key:
        headers["Idempotency-Key"] = key
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        os.environ["BASE"] + path, data=data, headers=headers, method=method
    )
    for pause in (0.2, 0.5, 1, 2, 5, 10, None):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            if error.code not in (429, 503) or pause is None:
                raise SystemExit(error.read().decode()) from error
            pause = float(error.headers.get("Retry-After") or pause)
        except OSError:
            if pause is None:
                raise
        time.sleep(pause)


def work(step, state):
    """The job itself: whatever it must know to go on is in `state`."""
    state["sum"] += step
    return f"step {step}: the sum is {state['sum']}"


def main(name, steps=100):
    session = ask("POST", "/sessions", {"name": name, "backend": "job", "total_steps": steps})
    path = "/sessions/" + session["id"]
    saved = ask("GET", path + "/snapshots/latest")
    step, state = (saved["step"], saved["state"]) if saved else (0, {"sum": 0})
    print("going on from step", step, flush=True)
    while step < steps:
        step += 1
        text = work(step, state)
        # The key of a step is the same in every run: what was told before is not stored twice.
        message = {"role": "assistant", "content": text, "key": f"step-{step}"}
        ask("POST", path + "/messages", {"messages": [message]})
        if step % EVERY == 0:
            ask("PUT", f"{path}/snapshots/{step}", state, key=f"{session['id']}-{step}")
            ask("PATCH", path, {"progress": step / steps, "current_task": text})
        print(step, flush=True)
    ask("POST", path + "/complete", {})
    print("done:", state["sum"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
