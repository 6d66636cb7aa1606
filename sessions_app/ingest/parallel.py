"""Parser processes beside the one writer."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import msgspec

from sessions_app.ingest.reading import Unit
from sessions_app.ingest.worker import Batch, batches, serve

WORTH_A_PROCESS = 20 * 1024 * 1024  # bytes; below it starting one costs more than it brings
TASK = 32 * 1024 * 1024  # bytes of input that one worker of several gets at once
PIPE = 1024 * 1024  # bytes of a pipe's room: the most that Linux gives without being asked


def read_batches(units: list[Unit], *, jobs: int | None, total: int) -> Iterator[Batch]:
    """Prepared batches in the order of the units, whatever the number of processes.

    `jobs`: parser processes; None = one fewer than there are cores; 0 = parse in this process.
    """
    if jobs is None:
        jobs = max((os.cpu_count() or 2) - 1, 1) if total > WORTH_A_PROCESS else 0
    if jobs == 0:
        yield from batches(units, datetime.now(UTC))
        return
    yield from _answers(_tasks(units) if jobs > 1 else iter([units]), min(jobs, 16))


def _tasks(units: list[Unit]) -> Iterator[list[Unit]]:
    task: list[Unit] = []
    size = 0
    for unit in units:
        task.append(unit)
        size += unit.todo
        if size >= TASK:
            yield task
            task, size = [], 0
    if task:
        yield task


class _Worker:
    """A parser process with the pipe of its tasks and the one of its answers."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        tasks, self.tasks = context.Pipe(duplex=False)
        self.answers, answers = context.Pipe(duplex=False)
        _widen(answers)
        self.process: SpawnProcess = context.Process(
            target=serve, args=(tasks, answers), daemon=True
        )
        self.process.start()
        tasks.close()
        answers.close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.join()
        self.tasks.close()
        self.answers.close()


def _widen(pipe: Connection) -> None:
    """Fewer, larger pieces; a system without this has a narrower pipe and is a little slower."""
    with suppress(AttributeError, OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE)


def _answers(tasks: Iterator[list[Unit]], jobs: int) -> Iterator[Batch]:
    """Every batch of every task in order; ends the workers, also when the caller stops early.

    Workers are served in turn, so that batches keep their order.
    """
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(Batch).decode
    idle = [_Worker() for _ in range(jobs)]
    busy: list[_Worker] = []
    try:
        for task in tasks:
            if not idle:
                worker = busy.pop(0)
                idle.append(worker)
                while data := worker.answers.recv_bytes():
                    yield decode(data)
            worker = idle.pop(0)
            busy.append(worker)
            worker.tasks.send_bytes(encode(task))
        for worker in busy:
            while data := worker.answers.recv_bytes():
                yield decode(data)
    finally:
        for worker in idle + busy:
            worker.stop()
