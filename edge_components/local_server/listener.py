"""Connections: bounded in number, time and size, and drained when the server stops."""

import ipaddress
import json
import logging
import socket
import socketserver
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .errors import RequestError
from .http_api import Application, Reply, Request, answer, parse_length

LOG = logging.getLogger(__name__)
MAX_CONNECTIONS = 32
IDLE_SECONDS = 60
DRAIN_SECONDS = 5
LINGER_SECONDS = 2
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Gate:
    """Counts requests in flight, and lets none in once it is shut."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._inside = 0
        self._open = True

    def enter(self) -> bool:
        """Come in, unless the gate is shut."""
        with self._change:
            self._inside += self._open
            return self._open

    def leave(self) -> None:
        """Go out again."""
        with self._change:
            self._inside -= 1
            self._change.notify_all()

    def shut(self, wait_seconds: float) -> bool:
        """Let nobody in any more and wait for those inside; False if some are still there."""
        with self._change:
            self._open = False
            return self._change.wait_for(lambda: self._inside == 0, wait_seconds)


class Listener(ThreadingHTTPServer):
    """Accepts connections and serves them, each in its thread."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, bind_address: str, port: int, application: Application) -> None:
        self.application = application
        self.gate = Gate()
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        if ipaddress.ip_address(bind_address).version == 6:
            self.address_family = socket.AF_INET6
        super().__init__((bind_address, port), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="listener", daemon=True)

    def server_bind(self) -> None:
        """Bind without the base class's look-up of the host's name, which may wait for a name server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    @property
    def url(self) -> str:
        """Where a program on this device reaches the server."""
        address = ipaddress.ip_address(self.server_name)
        if address.is_unspecified:
            address = ipaddress.ip_address("::1" if address.version == 6 else "127.0.0.1")
        host = f"[{address}]" if address.version == 6 else str(address)
        return f"http://{host}:{self.server_port}"

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def drain(self) -> None:
        """Accept nothing more, finish what is being answered, close."""
        if not self.gate.shut(DRAIN_SECONDS):
            LOG.warning("requests were still being answered after %d s; they are cut off", DRAIN_SECONDS)
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base class's signature
        """Serve the connection, or refuse it when too many are open."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        request.setblocking(False)
        request.send(BUSY)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        """Serve the connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        """Log a broken connection in one line."""
        LOG.info("the connection of %s broke", client_address, exc_info=LOG.isEnabledFor(logging.DEBUG))


class Handler(BaseHTTPRequestHandler):
    """One connection, with any number of requests."""

    protocol_version = "HTTP/1.1"
    server_version = "edgepipe"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 65536  # headers and body leave together
    timeout = IDLE_SECONDS
    server: Listener

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._serve()

    def _serve(self) -> None:
        if not self.server.gate.enter():
            self.close_connection = True
            self._send(Reply(body={"error": "the server is stopping"}, status=HTTPStatus.SERVICE_UNAVAILABLE))
            return
        try:
            self._send(answer(self.server.application, self._read_request()))
        except RequestError as error:
            self._refuse_body(error)
        except OSError:  # the client went away or fell silent
            self.close_connection = True
        finally:
            self.server.gate.leave()

    def _read_request(self) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = parse_length(headers, self.server.application.max_request_bytes)
        body = self.rfile.read(length)
        if len(body) < length:
            message = "the client ended its connection within the body"
            raise ConnectionError(message)
        address = urlsplit(self.path)
        return Request(
            method=str(self.command),
            path=address.path,
            query=parse_qs(address.query),
            headers=headers,
            peer=str(self.client_address[0]),
            body=body,
        )

    def _refuse_body(self, error: RequestError) -> None:
        """Answer before the body was read; let the client send on a while, or it would miss the answer."""
        self.close_connection = True
        self._send(Reply(body={"error": str(error)}, status=error.status))
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(LINGER_SECONDS)
        deadline = time.monotonic() + LINGER_SECONDS
        while time.monotonic() < deadline and self.rfile.read1(65536):
            pass

    def handle_expect_100(self) -> bool:
        """Say 100 Continue only for a body that will be taken."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            parse_length(headers, self.server.application.max_request_bytes)
        except RequestError:
            return True  # the request itself is refused next
        return super().handle_expect_100()

    def _send(self, reply: Reply) -> None:
        body = json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the base class refuses (bad syntax, unknown methods) as JSON too."""
        self.close_connection = True
        self._send(Reply(body={"error": message or explain or HTTPStatus(code).phrase}, status=code))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's signature
        """Log each request for those who ask for it."""
        LOG.debug(format, *args)
