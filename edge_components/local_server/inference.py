"""Inference requests to the engine, whichever it is: a few worker threads, each with a client of its own.

A tritonclient HTTP client belongs to the thread that made it, so requests go to the workers, and each
worker closes its client itself; an engine that is told to stop then has no open connection to wait for.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any

import gevent  # type: ignore[import-untyped]  # its stubs are no dependency of ours
import numpy as np
import numpy.typing as npt
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from .errors import EngineError, InferenceError

WORKERS = 4
TIMEOUT_SECONDS = 60.0
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model said: one probability a label, and the result's line of JSON."""

    scores: npt.NDArray[np.float32]
    line: bytes


@dataclass(frozen=True, kw_only=True)
class _Job:
    model: str
    pixels: npt.NDArray[np.uint8]
    metadata: bytes
    answer: "Future[Answer]"


class Inference:
    """A pool of clients for the engine at `address`."""

    def __init__(self, address: str, workers: int = WORKERS) -> None:
        self._address = address
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._workers = [
            threading.Thread(target=self._work, name=f"inference-{number}", daemon=True)
            for number in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def run(self, model: str, pixels: npt.NDArray[np.uint8], metadata: Mapping[str, str]) -> Answer:
        """Ask one model about `[H, W, 3]` RGB pixels; InferenceError or EngineError if there is no answer."""
        job = _Job(model=model, pixels=pixels, metadata=json.dumps(metadata).encode(), answer=Future())
        self._jobs.put(job)
        return job.answer.result()

    def close(self) -> None:
        """Finish the requests that are waiting and close every connection."""
        for _ in self._workers:
            self._jobs.put(None)
        for worker in self._workers:
            worker.join(TIMEOUT_SECONDS)

    def _work(self) -> None:
        client = triton.InferenceServerClient(
            self._address, connection_timeout=TIMEOUT_SECONDS, network_timeout=TIMEOUT_SECONDS
        )
        while (job := self._jobs.get()) is not None:
            _settle(job.answer, partial(_infer, client, job))
        client.close()
        gevent.sleep(0)  # gevent closes sockets when its loop runs next, which in this thread is now or never
        gevent.get_hub().destroy(destroy_loop=True)


def _settle(future: "Future[Answer]", call: Callable[[], Answer]) -> None:
    try:
        future.set_result(call())
    except (InferenceError, EngineError) as error:
        future.set_exception(error)
    except Exception as error:  # the worker must outlive any surprise; the caller gets it
        LOG.exception("an inference request failed unexpectedly")
        future.set_exception(error)


def _infer(client: Any, job: _Job) -> Answer:  # noqa: ANN401 - tritonclient has no types
    outputs = [triton.InferRequestedOutput("scores"), triton.InferRequestedOutput("result")]
    inputs = [
        _build_input("image", job.pixels),
        _build_input("metadata", np.frombuffer(job.metadata, dtype=np.uint8)),
    ]
    try:
        result = client.infer(job.model, inputs, outputs=outputs)
    except InferenceServerException as error:
        message = f"model {job.model!r} failed: {error.message()}"
        raise InferenceError(message) from error
    except OSError as error:
        message = f"the inference engine does not answer: {error}"
        raise EngineError(message) from error
    return Answer(scores=result.as_numpy("scores"), line=result.as_numpy("result").tobytes())


def _build_input(name: str, values: npt.NDArray[np.uint8]) -> Any:  # noqa: ANN401 - tritonclient has no types
    tensor = triton.InferInput(name, list(values.shape), "UINT8")
    tensor.set_data_from_numpy(values)
    return tensor
