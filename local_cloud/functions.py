"""AWS Lambda in this process: a function's real handler is imported and called in a thread of its own.

Facts: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and the Python runtime's error shapes
(https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html).
The platform's own functions run in this process: their zips are this installation's `tasks`, or a custom
step's files. Any other zip is run as `program` says, if there is an endpoint at which it finds AWS; without
one, as in tests, every handler is imported from this installation by its dotted name.
What it does not do: limit memory, retry an asynchronous invocation, run images, layers or runtimes other
than Python's (refused when the function is created), or isolate the platform's functions from each other.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import re
import threading
import time
import traceback
import uuid
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar
from unittest.mock import patch

from moto.awslambda.models import LambdaBackend
from moto.awslambda_simple import models as simple
from moto.core.base_backend import BackendDict
from moto.core.exceptions import JsonRESTError

from local_cloud import invoking, program
from local_cloud.clock import timestamp
from local_cloud.deadlines import Deadlines
from local_cloud.identity import session_arn
from local_cloud.invoking import FunctionError
from local_cloud.own_code import CodeStore, OwnCode
from local_cloud.platform import platform_code
from local_cloud.sandbox import (
    EnvironmentConflictError,
    LambdaContext,
    Log,
    LogLines,
    Logs,
    Place,
    Sandbox,
    inside,
)
from local_cloud.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from moto.awslambda.models import LambdaFunction

    from local_cloud.context import Context
    from local_cloud.endpoint import Endpoint
    from local_cloud.workers import Work

CUSTOM_HANDLER = "tasks.custom.handler"
"""The handler of the functions whose zip brings code of its own."""
_CLOSE_SECONDS, _LOG_TAIL = 5.0, 4096
_NAME = re.compile(r"[A-Za-z0-9_-]{1,140}")
_OURS = (
    __file__,
    importlib.__file__,
    "<frozen importlib._bootstrap>",
    "<frozen importlib._bootstrap_external>",
)


class Invocation:
    """One call of one handler, in a thread of its own."""

    def __init__(
        self, *, functions: Functions, function: LambdaFunction, account: str, body: str, tell: invoking.Tell
    ) -> None:
        self._functions, self._function, self._body, self._tell = functions, function, body, tell
        self._timeout = int(function.timeout)
        self._id = str(uuid.uuid4())
        self._log = LogLines(functions.log(function.function_name), self._id)
        principal = session_arn(str(function.role), function.function_name)
        self._place = Place(account=account, principal=principal, log=self._log)
        self._lock = threading.Lock()
        self._settled = False
        self._work: Work | None = None

    def start(self) -> None:
        """Begin to run the handler; a handler that is late is ended."""
        at = timestamp(self._functions.clock.now())
        self._log.write(f"START RequestId: {self._id} Version: {self._function.version} At: {at}\n")
        workers = self._functions.workers
        self._functions.deadlines.set(self, self._timeout, partial(workers.start, self._end_late))
        self._work = workers.start(self._run)

    def log_tail(self) -> str:
        """Return the end of what the log was told since this invocation began, as Lambda encodes it."""
        return base64.b64encode(self._log.tail(_LOG_TAIL)).decode()

    def _run(self) -> None:
        started = time.monotonic()
        response = self._exit_error("the process was killed")
        try:
            with self._functions.clock.working(), inside(self._place):
                response = self._call()
            self._log_end(started)
        except SystemExit as error:
            response = self._exit_error(f"exit status {error.code}")
            self._log_end(started)
        finally:  # also when the thread is killed: somebody waits for the response
            if self._settle():
                self._tell(*response)

    def _log_end(self, started: float) -> None:
        duration = (time.monotonic() - started) * 1000
        report = f"REPORT RequestId: {self._id}\tDuration: {duration:.2f} ms\n"
        self._log.write(f"END RequestId: {self._id}\n{report}")

    def _call(self) -> tuple[str, bool]:
        try:
            if self._functions.has_own_process(self._function):
                return self._call_program()
            self._functions.sandbox.set_environment(self._function.environment_vars)
            handler = self._functions.handler(self._function)
            value = handler(json.loads(self._body), self._context())
            return invoking.encode_response(value), False
        except FunctionError as error:
            failure = error
        except EnvironmentConflictError as error:
            failure = FunctionError("Runtime.InvalidEnvironment", str(error))
        except Exception as error:  # whatever a handler raises is its caller's to judge
            failure = FunctionError(type(error).__name__, str(error), handler_frames(error.__traceback__))
        self._log.write(f"[ERROR] {failure.kind}: {failure.message}\nTraceback (most recent call last):\n")
        self._log.write("".join(failure.frames))
        return failure.payload(self._id), True

    def _call_program(self) -> tuple[str, bool]:
        context = {**vars(self._context()), "seconds": self._timeout}
        del context["deadline"]
        answer = self._functions.program(self._function, self._body, context).run()
        if answer is None:
            return self._exit_error("exit status 1")
        if "payload" in answer:
            return invoking.encode_response(json.loads(answer["payload"])), False
        failure = FunctionError(answer["kind"], answer["message"], answer["frames"])
        return failure.payload(self._id), True

    def _exit_error(self, why: str) -> tuple[str, bool]:
        message = f"RequestId: {self._id} Error: Runtime exited with error: {why}"
        return FunctionError("Runtime.ExitError", message).payload(self._id), True

    def _end_late(self) -> None:
        text = f"RequestId: {self._id} Error: Task timed out after {self._timeout:.2f} seconds"
        error = {"errorType": "Sandbox.Timedout", "errorMessage": text}
        if self._settle():
            self._log.write(f"{self._id} Task timed out after {self._timeout:.2f} seconds\n")
            if self._work is not None:
                self._functions.workers.kill(self._work)
            self._tell(json.dumps(error), True)

    def _settle(self) -> bool:
        """Return True the first time, so that there is one response."""
        with self._lock:
            settled, self._settled = self._settled, True
        self._functions.deadlines.clear(self)
        return not settled

    def _context(self) -> LambdaContext:
        function = self._function
        return LambdaContext(
            aws_request_id=self._id,
            function_name=function.function_name,
            function_version=str(function.version),
            invoked_function_arn=function.function_arn,
            memory_limit_in_mb=str(function.memory_size),
            log_group_name=f"/aws/lambda/{function.function_name}",
            log_stream_name=function.function_name,
            deadline=time.monotonic() + self._timeout,
        )


class FunctionsBackend(LambdaBackend):
    """Moto's Lambda of one account and region, whose functions run."""

    functions: ClassVar[Functions]

    def create_function(self, spec: dict[str, Any]) -> LambdaFunction:
        """Create a function; refuses what cannot run here."""
        program.check(spec)
        function = super().create_function(spec)
        self.functions.unpack(function)
        return function

    def update_function_code(
        self, function_name: str, qualifier: str, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Give a function other code; refuses what cannot run here."""
        updated = super().update_function_code(function_name, qualifier, body)
        self.functions.unpack(self.get_function(function_name, qualifier))
        return updated

    def invoke(
        self,
        function_name: str,
        qualifier: str | None,
        body: Any,  # noqa: ANN401 - moto's
        headers: Any,  # noqa: ANN401 - as above
        response_headers: Any,  # noqa: ANN401 - as above
    ) -> bytes:
        """Run a function; the caller's headers choose RequestResponse, Event or DryRun."""
        function = self.get_function(function_name, qualifier)
        kind = headers.get("X-Amz-Invocation-Type") or "RequestResponse"
        response_headers["x-amz-executed-version"] = str(function.version)
        if kind == "DryRun":
            return b""
        answers: SimpleQueue[tuple[str, bool]] = SimpleQueue()
        invocation = self.begin(function, invoking.read_event(body), lambda *answer: answers.put(answer))
        if kind == "Event":
            return b""
        response, failed = answers.get()
        if failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        if headers.get("X-Amz-Log-Type") == "Tail":
            response_headers["x-amz-log-result"] = invocation.log_tail()
        payload = response.encode()
        response_headers["Content-Length"] = str(len(payload))
        return payload

    def begin(self, function: LambdaFunction, event: str, tell: invoking.Tell) -> Invocation:
        """Begin to run a function; `tell` gets its response."""
        account = self.account_id
        invocation = Invocation(
            functions=self.functions, function=function, account=account, body=event, tell=tell
        )
        invocation.start()
        return invocation


class Functions:
    """The installed functions service."""

    def __init__(self, context: Context, endpoint: Endpoint | None) -> None:
        self.workers, self.deadlines = Workers("lambda"), Deadlines("lambda-deadlines")
        self._endpoint = endpoint
        self._sessions = program.Sessions()
        self.sandbox = Sandbox()
        self.clock = context.clock
        self._context = context
        self._code = CodeStore(lambda: context.state_dir / "functions")
        self._logs = Logs(partial(context.log_path, "/aws/lambda"))
        backend = type("InstalledBackend", (FunctionsBackend,), {"functions": self})
        backends: BackendDict[LambdaBackend] = BackendDict(backend, "lambda")
        self._patches: list[Any] = [
            patch.object(simple, "lambda_simple_backends", backends),
            invoking.patched(),
        ]

    def log(self, function: str) -> Log:
        """Return a function's log; refuses a name that is no function's."""
        if not _NAME.fullmatch(function):
            message = f"'{function}' is not a function name"
            raise JsonRESTError(error_type="ValidationException", message=message)
        return self._logs.get(function)

    def handler(self, function: LambdaFunction) -> Callable[[Any, LambdaContext], Any]:
        """Return what a function calls; raises FunctionError as the runtime does."""
        if function.handler != CUSTOM_HANDLER:
            return load_handler(str(function.handler))
        code = self._code.code(function.code_bytes, hashlib.sha256(function.code_bytes).hexdigest())
        open_handler: Callable[..., Any] = load_handler("tasks.custom.open_handler")
        handler: Callable[[Any, LambdaContext], Any] = open_handler(code.folder, import_own(code))
        return handler

    def has_own_process(self, function: LambdaFunction) -> bool:
        """Say whether a function's code is not the platform's."""
        ours = function.handler == CUSTOM_HANDLER or function.code_bytes == platform_code()
        return self._endpoint is not None and not ours

    def unpack(self, function: LambdaFunction) -> Path | None:
        """Unpack the zip of a function that has a process of its own; refuses what is no good zip."""
        if not self.has_own_process(function):
            return None
        digest = hashlib.sha256(function.code_bytes).hexdigest()
        folder = self._context.state_dir / "functions" / f"zip-{digest[:32]}"
        program.unpack(function.code_bytes, folder)
        return folder

    def program(self, function: LambdaFunction, event: str, context: Mapping[str, Any]) -> program.Program:
        """Return what runs a function that has a process of its own."""
        code = self.unpack(function)
        if code is None or self._endpoint is None:
            message = f"{function.function_name} has no process of its own"
            raise ValueError(message)
        session = self._sessions.keys(str(function.role), function.region)
        variables = {**session, "AWS_ENDPOINT_URL": self._endpoint.url, **function.environment_vars}
        log = self.log(function.function_name).path
        return program.build(function, code, variables, log, event=event, context=context)

    def open(self) -> None:
        """Put the service behind moto's Lambda API."""
        program.clear(self._context.state_dir / "functions")
        self.sandbox.open()
        for each in self._patches:
            each.start()

    def close(self) -> None:
        """End every handler and give the API back to moto; may be repeated."""
        patches, self._patches = self._patches, []
        for each in patches:
            each.stop()
        self.deadlines.close()
        for work in self.workers.alive():
            self.workers.kill(work)
        self.workers.join(_CLOSE_SECONDS)
        self._logs.close()
        self._code.close()
        self.sandbox.close()


def install(context: Context, endpoint: Endpoint | None = None) -> Functions:
    """Run Lambda functions of every account; call it before `mock_aws().start()`.

    At `endpoint` functions with a process of their own find AWS.
    """
    functions = Functions(context, endpoint)
    functions.open()
    return functions


def load_handler(dotted: str) -> Callable[[Any, LambdaContext], Any]:
    """Return the handler `package.module.function`; raises FunctionError as the runtime does."""
    module_name, _, name = dotted.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise FunctionError(kind="Runtime.ImportModuleError", message=message) from None
    handler = getattr(module, name, None)
    if not callable(handler):
        message = f"Handler '{name}' missing on module '{module_name}'"
        raise FunctionError(kind="Runtime.HandlerNotFound", message=message)
    return handler  # type: ignore[no-any-return] # a module's attributes have no type


def import_own(code: OwnCode) -> Callable[[str], Any]:
    """Return what imports a function's own modules; it raises FunctionError as the runtime does."""

    def load(name: str) -> Any:  # noqa: ANN401 - a module
        try:
            return code.import_module(name)
        except SyntaxError as error:
            message = f"Syntax error in module '{name}': {error}"
            raise FunctionError(kind="Runtime.UserCodeSyntaxError", message=message) from None
        except ImportError as error:
            message = f"Unable to import module '{name}': {error}"
            raise FunctionError(kind="Runtime.ImportModuleError", message=message) from None

    return load


def handler_frames(trace: TracebackType | None) -> list[str]:
    """Return the formatted frames from the handler on: what lies above them is not the user's."""
    frames = traceback.extract_tb(trace)
    while frames and frames[0].filename in _OURS:
        del frames[0]
    return traceback.format_list(frames)
