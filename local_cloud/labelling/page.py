"""The page on which a person labels: one image after another, on 127.0.0.1 only.

Its address holds a secret, so that nobody else on this machine labels by guessing; what a page of another
site could make a browser send is refused: another Host, another Origin, a fetch from elsewhere. Nothing is
loaded from anywhere but here. An answer is kept before the page says so.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_cloud.approvals import user_name
from local_cloud.labelling.sheets import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

    from local_cloud.labelling.sheets import Image, Sheet, Sheets

HOST = "127.0.0.1"
PAGE = Path(__file__).with_name("page.html")
_MAX_BODY = 65_536
_NOTHING = "there is nothing here"
_JSON = "application/json"
_KINDS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"RIFF": "image/webp",
}
"""How the bytes of images that browsers show begin; nothing else is called an image."""


class RefusedError(Exception):
    """A request that is not answered as asked."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is sent back."""

    body: bytes
    kind: str = _JSON
    policy: str = "default-src 'none'"


class Desk:
    """One sheet and whoever labels it: what the page asks, and what it says."""

    def __init__(self, sheets: Sheets, sheet: Sheet, state_dir: Path) -> None:
        self._sheets = sheets
        self._sheet = sheet
        self._folder = state_dir / sheet.folder
        self._images = {image.number: image for image in sheet.images}

    def left(self) -> int:
        """Return how many images have no label."""
        return len(self._images.keys() - self._sheets.answers(self._sheet.arn).keys())

    def is_open(self) -> bool:
        """Say whether the job still takes answers."""
        return self._sheets.find(self._sheet.arn) is not None

    def page(self) -> Reply:
        """Return the page itself."""
        nonce = secrets.token_urlsafe(16)
        text = PAGE.read_text(encoding="utf-8").replace("NONCE", nonce)
        only = f"script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; connect-src 'self'"
        return Reply(
            body=text.encode(),
            kind="text/html; charset=utf-8",
            policy=f"default-src 'none'; {only}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        )

    def sheet(self) -> Reply:
        """Return labels and images, with the answers that are kept."""
        answers = self._sheets.answers(self._sheet.arn)

        def told(image: Image) -> dict[str, Any]:
            answer = answers.get(image.number)
            label = None if answer is None else answer.label
            return {"number": image.number, "name": image.uri.rpartition("/")[2], "label": label}

        images = [told(image) for image in self._sheet.images]
        return _json({"title": self._sheet.title, "labels": self._sheet.labels, "images": images})

    def image(self, number: str) -> Reply:
        """Return an image's bytes; raises RefusedError for one that is not there."""
        found = self._images.get(int(number)) if number.isdecimal() else None
        try:
            body = (self._folder / found.file).read_bytes() if found else None
        except FileNotFoundError:  # the job has ended, or reads its images again
            body = None
        if body is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such image now")
        kinds = (kind for start, kind in _KINDS.items() if body.startswith(start))
        return Reply(body=body, kind=next(kinds, "application/octet-stream"))

    def answer(self, body: bytes) -> Reply:
        """Keep an answer and say how many images are left; raises RefusedError if it does not count."""
        try:
            said = json.loads(body)
            number, label = said["number"], said["label"]
        except (ValueError, TypeError, KeyError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "an answer has a number and a label") from error
        if not isinstance(number, int) or number not in self._images or label not in self._sheet.labels:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "there is no such image or label")
        answer = Answer(label=label, by=user_name(), at=time.time())
        self._sheets.answer(self._sheet.arn, {number: answer})
        if not self.is_open():
            raise RefusedError(HTTPStatus.CONFLICT, "the labelling job has ended")
        return _json({"left": self.left()})


class Page:
    """A desk's server; `close` ends it."""

    def __init__(self, desk: Desk, port: int = 0) -> None:
        """Begin to serve; raises OSError if the port is taken."""
        self.desk = desk
        self._token = secrets.token_urlsafe(24)
        self._server = _Server(port, desk, self._token)
        self._thread = threading.Thread(target=self._server.serve_forever, name="labelling page", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The page's address, with its secret."""
        return f"http://{HOST}:{self._server.server_port}/{self._token}/"

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def refusal(headers: Message, port: int) -> str | None:
    """Say why a request is refused that another site may have caused, or return None."""
    hosts = {f"{name}:{port}" for name in (HOST, "localhost")}
    if headers.get("Host") not in hosts:
        return "this page is asked for by its own address only"
    if headers.get("Origin") not in {None, *(f"http://{host}" for host in hosts)}:
        return "requests from pages of other sites are refused"
    if headers.get("Sec-Fetch-Site") not in {None, "none", "same-origin"}:
        return "requests from other sites are refused"
    return None


class _Server(ThreadingHTTPServer):
    """Serves one desk to whoever knows the token."""

    daemon_threads = True

    def __init__(self, port: int, desk: Desk, token: str) -> None:
        self.desk = desk
        self.token = token
        super().__init__((HOST, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    server: _Server

    def do_GET(self) -> None:
        """Answer what the page asks for."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Take what the page says."""
        self._answer(self._post)

    def log_message(self, *_words: object) -> None:
        """Keep the secret in each address from the terminal."""

    def _get(self, place: str) -> Reply:
        desk, (folder, _, name) = self.server.desk, place.partition("/")
        if folder == "images":
            return desk.image(name)
        known = {"": desk.page, "sheet": desk.sheet}
        if place not in known:
            raise RefusedError(HTTPStatus.NOT_FOUND, _NOTHING)
        return known[place]()

    def _post(self, place: str) -> Reply:
        size = self.headers.get("Content-Length", "")
        if place != "answers" or not size.isdecimal() or int(size) > _MAX_BODY:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "only answers are taken")
        return self.server.desk.answer(self.rfile.read(int(size)))

    def _answer(self, carry_out: Callable[[str], Reply]) -> None:
        try:
            self._send(HTTPStatus.OK, carry_out(self._place()))
        except RefusedError as error:
            self.close_connection = True  # its body may not have been read
            self._send(error.status, _json({"error": str(error)}))

    def _place(self) -> str:
        """Return what a request is about; raises RefusedError for one that may be another's."""
        why = refusal(self.headers, self.server.server_port)
        given, _, place = self.path.removeprefix("/").partition("/")
        if why is not None:
            raise RefusedError(HTTPStatus.FORBIDDEN, why)
        if not secrets.compare_digest(given.encode(), self.server.token.encode()):
            raise RefusedError(HTTPStatus.NOT_FOUND, _NOTHING)
        return place

    def _send(self, status: HTTPStatus, reply: Reply) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": reply.kind,
            "Content-Length": str(len(reply.body)),
            "Content-Security-Policy": reply.policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            **({"Connection": "close"} if self.close_connection else {}),
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)


def _json(value: object) -> Reply:
    return Reply(body=json.dumps(value).encode())
