"""The local cloud as an HTTP endpoint of this machine, for the AWS CLI, boto3 and functions' own processes.

It listens on 127.0.0.1 only. A web page in a browser of this machine can send requests there too, directly
or by a name of its own that it lets point here, so whatever a browser would send is refused: another Host,
an Origin, a fetch from another site. Moto's own pages, which reset everything, are not served. What moto
does not know, or falls over, is answered as AWS answers what is wrong (`misfits`).
"""

from __future__ import annotations

import errno
import re
import socket
import threading
import traceback
from typing import TYPE_CHECKING, Any

from local_cloud import misfits
from local_cloud.context import ACCOUNT_HEADER, PRINCIPAL_HEADER, SERVED_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from werkzeug.serving import BaseWSGIServer

HOST = "127.0.0.1"
_NAMES = re.compile(r"(127\.0\.0\.1|localhost|[a-z0-9.-]+\.localhost)(:\d+)?")
_CLOSED = ("/moto-api", "/latest/", "/favicon.ico")
_ACCOUNT, _PRINCIPAL, _SERVED = (
    f"HTTP_{name.upper().replace('-', '_')}" for name in (ACCOUNT_HEADER, PRINCIPAL_HEADER, SERVED_HEADER)
)
_ACCOUNT_KEY = re.compile(r"(?:Credential=|AWSAccessKeyId=|AWS )(\d{12})(?:[/&:]|%2F|$)")
_SENT_AS, _FORM = "edgepipe.content-type", "application/x-www-form-urlencoded"
_TRUSTED_SITES = frozenset({"none", "same-origin"})

Application = Any
"""A WSGI application."""


class Endpoint:
    """Serves the emulated AWS of this process; it starts when it is first asked for its address."""

    def __init__(self, call: Callable[[], AbstractContextManager[None]], log: Path) -> None:
        self._call = call
        self._log = log
        self._lock = threading.Lock()
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The endpoint's address, on any free port unless it was started on one."""
        return self.start(0)

    def start(self, port: int) -> str:
        """Begin to serve and return the address; raises OSError if the port is taken."""
        with self._lock:
            if self._server is None:
                self._server = _make_server(port, guarded(self._call, self._log))
                self._thread = threading.Thread(
                    target=self._server.serve_forever, name="endpoint", daemon=True
                )
                self._thread.start()
            return f"http://{HOST}:{self._server.port}"

    def close(self) -> None:
        """Serve no more; may be repeated."""
        with self._lock:
            if self._server is not None and self._thread is not None:
                self._server.shutdown()
                self._thread.join()
                self._server.server_close()
                self._server = self._thread = None


def guarded(call: Callable[[], AbstractContextManager[None]], log: Path) -> Application:
    """Return the application: moto behind the checks, each request carried out inside `call()`.

    What moto falls over is written to the file `log`.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    aws = DomainDispatcherApplication(_create_app)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        why = refusal(environ)
        if why:
            start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"edgepipe local serve: {why}\n".encode()]
        for name in (_ACCOUNT, _PRINCIPAL):
            environ.pop(name, None)
        environ[_SERVED] = "yes"
        if account := own_account(environ):
            environ[_ACCOUNT] = account
        hold_body(environ)
        with call():
            return carry_out(aws, environ, start_response, log)

    return answer


def own_account(environ: dict[str, Any]) -> str | None:
    """Return the account that an access key of twelve digits stands for: its own number."""
    for text in (environ.get("HTTP_AUTHORIZATION", ""), environ.get("QUERY_STRING", "")):
        if found := _ACCOUNT_KEY.search(text):
            return found[1]
    return None


def hold_body(environ: dict[str, Any]) -> None:
    """Keep moto from reading the body of a PUT as a form: curl and urllib call any bytes that."""
    kind = environ.get("CONTENT_TYPE", "")
    if environ.get("REQUEST_METHOD") == "PUT" and kind.lower().startswith(_FORM):
        environ[_SENT_AS], environ["CONTENT_TYPE"] = kind, "application/octet-stream"


def carry_out(
    aws: Application, environ: dict[str, Any], start_response: Callable[..., Any], log: Path
) -> Iterable[bytes]:
    """Return moto's answer to a request, or an error in its place."""
    from werkzeug.test import run_wsgi_app

    asked = misfits.read(environ)
    try:
        body, status, headers = run_wsgi_app(aws, environ, buffered=True)
    except (NotImplementedError, UnknownServiceError):
        told = asked.unknown()
    except Exception as error:  # moto trusts its callers: anything may be wrong with a request
        _write_down(log, asked.operation)
        told = asked.broken(error, str(log))
    else:
        content = b"".join(body)
        if not _is_moto_page(environ, status, content):
            start_response(status, [(name, text) for name, text in headers if not _is_for_pages(name)])
            return [content]
        told = asked.unknown()
    start_response(misfits.STATUS, [*told.headers.items(), ("Content-Length", str(len(told.body)))])
    return [told.body]


class UnknownServiceError(Exception):
    """Moto has no such service."""


def _create_app(service: Any) -> Any:  # noqa: ANN401 - any service's name, and a Flask application
    """Return moto's application for a service, in which errors are not turned into pages."""
    from moto.moto_server.werkzeug_app import create_backend_app

    if service is None:
        raise UnknownServiceError
    app = create_backend_app(service)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.request_class = _held(app.request_class)
    return app


def _held(kind: type[Any]) -> type[Any]:
    """Return such a class of requests, in which a body that was held back has its own type again."""

    class Held(kind):  # type: ignore[misc]  # moto chooses the class
        def __init__(self, environ: dict[str, Any], *args: Any, **named: Any) -> None:  # noqa: ANN401 - as above
            if _SENT_AS in environ:
                environ["CONTENT_TYPE"] = environ.pop(_SENT_AS)
            super().__init__(environ, *args, **named)

        @property
        def want_form_data_parsed(self) -> bool:
            return self.method != "PUT" and bool(super().want_form_data_parsed)

    return Held


def _is_for_pages(header: str) -> bool:
    """Say whether a header would let web pages read an answer: moto lets all of them."""
    return header.lower().startswith("access-control-")


def _is_moto_page(environ: dict[str, Any], status: str, content: bytes) -> bool:
    """Say whether moto has no such operation: it answers with a web page, or nothing, instead of an error."""
    missing = status[:3] in {"404", "405"} and environ["REQUEST_METHOD"] != "HEAD"
    return missing and (not content or content.startswith(b"<!doctype html>"))


def _write_down(log: Path, operation: str) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{operation}\n{traceback.format_exc()}\n")


def refusal(environ: dict[str, Any]) -> str:
    """Return why a request is not answered; nothing if it is."""
    if not _NAMES.fullmatch(environ.get("HTTP_HOST", "").lower()):
        return f"the Host must be {HOST}, localhost or a name under .localhost"
    if "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_SITE", "none") not in _TRUSTED_SITES:
        return "web pages may not call it"
    if environ.get("PATH_INFO", "").startswith(_CLOSED):
        return "this is no AWS service"
    return ""


def _make_server(port: int, application: Application) -> BaseWSGIServer:
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    class Handler(MotoRequestHandler):
        """Answers without a line on the terminal for each request."""

        def log_request(self, *_: object) -> None:
            return

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, port))
        except OSError as error:
            message = f"cannot listen on {HOST}:{port} ({error.strerror}): choose another port with --port"
            raise OSError(errno.EADDRINUSE, message) from error
        bound.listen(128)
        # Werkzeug ends the whole process when it cannot bind, so it gets a socket that is bound already.
        return make_server(HOST, port, application, threaded=True, request_handler=Handler, fd=bound.fileno())
