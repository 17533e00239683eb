"""The page that people rank on, several at once, each under a name: a small HTTP server over a `Desk`.

It listens on this computer alone unless told otherwise; then whoever is to rank needs the key in the page's address.
A page that somebody else's site opens cannot rank in one's name: requests must come from the page itself.
"""

import json
import re
import secrets
import tomllib
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from anatomia.base.errors import UserError
from anatomia.feedback.desk import Asked, Desk, shuffled
from anatomia.feedback.names import annotator_name
from anatomia.feedback.terminal import LETTERS

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PAGES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_LONGEST = 1_000_000  # bytes of a request
_TICKET = re.compile(r"[0-9a-f]{32}")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class RankingServer(ThreadingHTTPServer):
    """Serves the page until `shutdown`; `serve_forever` begins.

    Args:
        desk: what there is to rank, and where rankings are kept.
        title: what is ranked, shown above the page.
        language: "en" or "pl", until a person chooses another.
        name: what the page proposes as a name.
        translate: an English sentence of an error, in a language.
        host, port: where to listen; port 0 takes a free one.

    Raises:
        UserError: nothing can listen there.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        desk: Desk,
        title: str,
        language: str = "en",
        name: str = "",
        translate: Callable[[str, str], str] = lambda english, language: english,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.desk, self.title, self.language, self.name, self.translate = desk, title, language, name, translate
        self.host = host
        self.key = "" if host in LOOPBACK else secrets.token_urlsafe(12)
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).rstrip(".")
            raise UserError(
                f"nothing can listen at {host}, port {port}: {reason}; give another --port or --host"
            ) from error

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{self.host}:{self.server_port}/" + (f"?key={self.key}" if self.key else "")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody who hangs up in the middle is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: RankingServer
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds that a silent connection is kept
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path in PAGES and self._welcome(key=False):
            name, kind = PAGES[path]
            self._send(HTTPStatus.OK, _file(name), f"{kind}; charset=utf-8")
        elif path not in PAGES:
            self._say(HTTPStatus.NOT_FOUND, {"error": "gone"})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LONGEST:
            self.close_connection = True
            self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "wrong"})
            return
        body = self.rfile.read(int(length))
        if not self._welcome(key=True):
            return
        call = _CALLS.get(urlsplit(self.path).path)
        try:
            given = json.loads(body)
            if call is None or not isinstance(given, dict):
                raise ValueError("no such call")
            self._say(HTTPStatus.OK, call(self.server, given))
        except UserError as error:
            language = given.get("language")
            said = self.server.translate(str(error), language if language in ("en", "pl") else self.server.language)
            self._say(HTTPStatus.CONFLICT, {"error": "said", "detail": said})
        except (ValueError, KeyError, TypeError, RecursionError):
            self._say(HTTPStatus.BAD_REQUEST, {"error": "wrong"})

    def _welcome(self, key: bool) -> bool:
        """Whether a request comes from the page itself, with the key if one is needed; says so if not."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        origin = self.headers.get("Origin")
        known = host in LOOPBACK or self.server.host not in LOOPBACK
        own = origin is None or urlsplit(origin).netloc == self.headers.get("Host")
        json_ = not key or self.headers.get_content_type() == "application/json"
        given = self.headers.get("X-Key", "").encode()
        if known and own and json_ and (not key or secrets.compare_digest(given, self.server.key.encode())):
            return True
        self._say(HTTPStatus.FORBIDDEN, {"error": "key"})
        return False

    def _say(self, status: HTTPStatus, value: dict[str, Any]) -> None:
        # Escaped to ASCII, since a completion may hold half a character.
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for header, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed of requests."""


@cache
def _file(name: str) -> bytes:
    return files("anatomia.serve").joinpath("ranking_page", name).read_bytes()


@cache
def texts() -> dict[str, dict[str, str]]:
    """What the page says, by language."""
    return tomllib.loads(_file("texts.toml").decode("utf-8"))


def _start(server: RankingServer, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": server.title,
        "language": server.language,
        "texts": texts(),
        "name": server.name,
        "names": server.desk.names(),
    }


def _sit(server: RankingServer, given: dict[str, Any]) -> dict[str, Any]:
    return {"name": server.desk.sit(_text(given["name"]))}


def _ask(server: RankingServer, given: dict[str, Any]) -> dict[str, Any]:
    annotator = annotator_name(_text(given["name"]))
    skipped = {_text(key) for key in given.get("skipped", [])}
    return _state(server.desk, annotator, server.desk.ask(annotator, skipped))


def _rank(server: RankingServer, given: dict[str, Any]) -> dict[str, Any]:
    desk, annotator = server.desk, annotator_name(_text(given["name"]))
    candidates = desk.waiting[desk.place[_text(given["key"])]]
    shown = {_number(index) for index in given["shown"]}
    order = tuple(tuple(equal) for equal in shuffled(candidates, annotator) if equal[0] in shown)
    if len(order) != len(shown) or not _TICKET.fullmatch(_text(given["ticket"])):
        raise ValueError("a question that nobody asked")
    groups = tuple(tuple(_number(place) for place in group) for group in given["groups"])
    number = desk.keep(Asked(annotator, candidates, order, given["ticket"]), groups)
    return {"kept": number is not None, **_ask(server, given)}


def _take_back(server: RankingServer, given: dict[str, Any]) -> dict[str, Any]:
    annotator = annotator_name(_text(given["name"]))
    asked = server.desk.take_back(annotator, _number(given["number"]))
    return {
        "taken_back": asked is not None,
        **(_state(server.desk, annotator, asked) if asked else _ask(server, given)),
    }


def _progress(server: RankingServer, given: dict[str, Any]) -> dict[str, Any]:
    return server.desk.progress()


_CALLS: dict[str, Callable[[RankingServer, dict[str, Any]], dict[str, Any]]] = {
    "/api/start": _start,
    "/api/sit": _sit,
    "/api/ask": _ask,
    "/api/rank": _rank,
    "/api/take-back": _take_back,
    "/api/progress": _progress,
}


def _state(desk: Desk, annotator: str, asked: Asked | None) -> dict[str, Any]:
    """What the page shows next: the question, how many this person gave, how many are left, the last one's number."""
    numbers = desk.given(annotator)
    question = asked and {
        "key": asked.candidates.key,
        "ticket": asked.ticket,
        "prompt": list(asked.candidates.prompt),
        "shown": [equal[0] for equal in asked.order],
        "answers": [
            {"letter": letter, "text": asked.candidates.completions[equal[0]].strip()}
            for letter, equal in zip(LETTERS, asked.order, strict=False)
        ],
    }
    return {
        "given": len(numbers),
        "left": desk.left(annotator),
        "last": numbers[-1] if numbers else None,
        "question": question,
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("no number")
    return value
