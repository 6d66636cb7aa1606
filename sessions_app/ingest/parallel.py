"""Parser processes beside the one writer."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import msgspec

from sessions_app.ingest.reading import Unit
from sessions_app.ingest.worker import Batch, batches, serve

WORTH_A_PROCESS = 20 * 1024 * 1024  # bytes; below it starting one costs more than it brings
TASK = 32 * 1024 * 1024  # bytes of input that one worker gets at once


def read_batches(units: list[Unit], *, jobs: int | None, total: int) -> Iterator[Batch]:
    """Prepared batches in the order of the units, whatever the number of processes.

    `jobs`: parser processes; None = one fewer than there are cores; 0 = parse in this process.
    """
    if jobs is None:
        jobs = max((os.cpu_count() or 2) - 1, 1) if total > WORTH_A_PROCESS else 0
    if jobs == 0:
        yield from batches(units, datetime.now(UTC))
        return
    yield from _Pool(min(jobs, 16)).read(_tasks(units))


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


class _Pool:
    """Workers that are served in turn, so that batches keep their order."""

    def __init__(self, jobs: int) -> None:
        self.context = multiprocessing.get_context("spawn")
        self.workers = [self._start() for _ in range(jobs)]

    def _start(self) -> tuple[SpawnProcess, Connection]:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=serve, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def read(self, tasks: Iterator[list[Unit]]) -> Iterator[Batch]:
        """Every batch of every task; ends the workers, also when the caller stops early."""
        encode = msgspec.msgpack.Encoder().encode
        decode = msgspec.msgpack.Decoder(Batch).decode
        try:
            busy: list[Connection] = []
            idle = [pipe for _, pipe in self.workers]
            for task in tasks:
                if not idle:
                    pipe = busy.pop(0)
                    while data := pipe.recv_bytes():
                        yield decode(data)
                    idle.append(pipe)
                pipe = idle.pop(0)
                pipe.send_bytes(encode(task))
                busy.append(pipe)
            for pipe in busy:
                while data := pipe.recv_bytes():
                    yield decode(data)
        finally:
            for process, pipe in self.workers:
                pipe.close()
                process.terminate()
                process.join()
