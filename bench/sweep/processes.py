"""``engine=processes``: one process per device of this machine, each with its own pipe."""

import contextlib
import multiprocessing
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from bench.sweep.messages import Broken, Message, Ready, UnitKey
from bench.sweep.worker import OpenJob, Placement, broken, serve

SECONDS_TO_END = 1.0


class ProcessPool:
    """Spawned processes, one per placement.

    Each has its own pipe: a process that is killed while it sends leaves no lock behind that others wait for.

    Args:
        open_job: builds a worker's job; must be importable there.
        placements: where each worker runs.
    """

    def __init__(self, open_job: OpenJob, placements: Sequence[Placement]) -> None:
        self.size = len(placements)
        self._open_job, self._placements = open_job, placements
        self._context = multiprocessing.get_context("spawn")
        self._workers: dict[int, tuple[SpawnProcess, Connection]] = {}

    def start(self, worker: int) -> None:
        """Start ``worker``."""
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self._open_job, self._placements[worker])
        process = self._context.Process(target=_work, args=arguments, name=f"snowwolf-{worker}")
        process.start()
        theirs.close()  # so that the pipe closes when the process ends
        self._workers[worker] = process, ours

    def send(self, worker: int, lease: Sequence[UnitKey]) -> None:
        """Send ``lease`` to ``worker``; if the worker has ended, ``wait`` reports it."""
        with contextlib.suppress(OSError):
            self._workers[worker][1].send(list(lease))

    def wait(self, seconds: float) -> list[tuple[int, Message]]:
        """One message from each worker that has sent one; ``Broken`` for each that has ended."""
        pipes = {pipe: worker for worker, (_, pipe) in self._workers.items()}
        return [(pipes[pipe], self._receive(pipes[pipe])) for pipe in wait(list(pipes), seconds)]  # type: ignore[index]

    def kill(self, worker: int) -> None:
        """End ``worker`` at once."""
        process, pipe = self._workers.pop(worker)
        process.kill()
        process.join()
        pipe.close()

    def close(self) -> None:
        """End all workers: idle ones end by themselves, busy ones are killed."""
        for _, pipe in self._workers.values():
            with contextlib.suppress(OSError):
                pipe.send(None)
        for process, _ in self._workers.values():
            process.join(SECONDS_TO_END)
        for worker in list(self._workers):
            self.kill(worker)

    def _receive(self, worker: int) -> Message:
        process, pipe = self._workers[worker]
        try:
            message: Message = pipe.recv()
        except (EOFError, OSError):
            process.join(SECONDS_TO_END)
            return Broken(f"process {process.pid} {_ending(process.exitcode)}")
        return message


def _ending(code: int | None) -> str:
    if code is None:
        return "closed its pipe"
    if code >= 0:
        return f"exited with code {code}"
    return f"was ended by {signal.Signals(-code).name}" + (" (out of memory?)" if code == -signal.SIGKILL else "")


def _work(pipe: Connection, open_job: OpenJob, placement: Placement) -> None:
    """The main loop of a worker; it ends when the sweep ends, normally or not."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the sweep, which then ends its workers
    with contextlib.suppress(OSError, EOFError):  # the sweep has ended
        try:
            job = open_job(placement)
            pipe.send(Ready())
            while (lease := pipe.recv()) is not None:
                for message in serve(job, lease):
                    pipe.send(message)
        except (BrokenPipeError, EOFError):
            return
        except Exception as error:
            pipe.send(broken(error))
