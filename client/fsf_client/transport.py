"""One HTTP exchange with the server: pooled connections, proxies and TLS as the environment sets them. Standard library only.

An exchange is tried once; what comes back, whatever its status, is an `Answer`. No redirect is followed: a token is for one address.
"""

import contextlib
import http.client
import json
import os
import queue
import ssl
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import SplitResult, urlsplit

from fsf_client import __version__

MOST_BYTES = 64 * 1024 * 1024  # of one answer
BLOCK = 256 * 1024  # bytes of a file that are in memory at once
CONNECTIONS = 8  # kept open between exchanges
Body = bytes | Iterable[bytes] | None
DEFAULT_PORTS = {"http": 80, "https": 443}


class NotConfigured(Exception):
    """The address or the token is missing or cannot be one."""


class NoAnswer(Exception):
    """Nothing came back that is a whole HTTP answer: refused, timed out, broken off, or not trusted."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: `path` stands below /api/v1/, `headers` beside those that every request carries. A file is sent as it is read."""

    method: str
    path: str
    body: bytes | Path | None = None
    headers: Mapping[str, str] | None = None
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The JSON content, or None where the body holds none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Wire:
    """Speaks to one server with one token; any number of threads may share it."""

    def __init__(self, url: str, token: str, *, timeout: float) -> None:
        self.url = checked_url(url)
        self._place = urlsplit(self.url)
        self._token = _checked_token(token)
        self._timeout = timeout
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue(CONNECTIONS)
        self._process = os.getpid()

    def exchange(self, request: Request) -> Answer:
        """Ask once; raises NoAnswer. A connection that had gone stale is replaced before that counts as a try."""
        if self._process != os.getpid():  # a fork must not speak over its parent's connections
            self._idle, self._process = queue.LifoQueue(CONNECTIONS), os.getpid()
        with contextlib.suppress(queue.Empty, NoAnswer):
            return self._over(self._idle.get_nowait(), request)
        return self._over(self._connect(), request)

    def close(self) -> None:
        """Close what is kept open."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _over(self, connection: http.client.HTTPConnection, request: Request) -> Answer:
        with _content(request.body) as (content, size):
            try:
                self._send(connection, request, content, size)
                response = connection.getresponse()
                body = response.read(MOST_BYTES + 1)
            except (OSError, http.client.HTTPException) as wrong:
                connection.close()
                raise NoAnswer(f"{self.url} gave no answer: {_reason(wrong)}") from wrong
        if response.length and len(body) <= MOST_BYTES:  # what is still owed: a read of at most so much says nothing of it
            connection.close()
            raise NoAnswer(f"{self.url} broke off in the middle of its answer.")
        if len(body) > MOST_BYTES:
            connection.close()
            raise NoAnswer(f"{self.url} answered more than {MOST_BYTES} bytes.")
        self._keep(connection, will_close=response.will_close)
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)

    def _send(self, connection: http.client.HTTPConnection, request: Request, content: Body, size: int) -> None:
        headers = self._headers(request)
        if request.body is not None:
            headers |= {"Content-Type": request.media_type, "Content-Length": str(size)}
        if connection.sock is None:
            connection.connect()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it had read all
            connection.request(request.method, self._target(request.path), body=content, headers=headers)

    def _keep(self, connection: http.client.HTTPConnection, *, will_close: bool) -> None:
        try:
            if not will_close:
                self._idle.put_nowait(connection)
                return
        except queue.Full:
            pass
        connection.close()

    def _target(self, path: str) -> str:
        target = f"{self._place.path}/api/v1/{path}"
        return f"{self.url.removesuffix(self._place.path)}{target}" if self._plain_proxy else target

    def _headers(self, request: Request) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json, application/problem+json",
            "User-Agent": f"fsf-client/{__version__}",
            **(request.headers or {}),
        }

    @property
    def _proxy(self) -> SplitResult | None:
        host = self._place.hostname or ""
        named = urllib.request.getproxies().get(self._place.scheme)
        if not named or urllib.request.proxy_bypass(host):
            return None
        return urlsplit(named if "://" in named else f"http://{named}")

    @property
    def _plain_proxy(self) -> bool:
        return self._place.scheme == "http" and self._proxy is not None

    def _connect(self) -> http.client.HTTPConnection:
        """A connection, not opened yet: straight, through a proxy, or through a tunnel of one."""
        host, port = self._place.hostname or "", self._place.port or DEFAULT_PORTS[self._place.scheme]
        proxy = self._proxy
        near = (host, port) if proxy is None else _address(proxy)
        if self._place.scheme != "https":
            return http.client.HTTPConnection(*near, timeout=self._timeout)
        connection = http.client.HTTPSConnection(*near, timeout=self._timeout, context=ssl.create_default_context())
        if proxy is not None:
            connection.set_tunnel(host, port)
        return connection


def _address(proxy: SplitResult) -> tuple[str, int]:
    return proxy.hostname or "", proxy.port or 80


def checked_url(url: str) -> str:
    """The address without a trailing slash; raises NotConfigured for what is no http address or holds a password."""
    place = _parts(url.strip())
    if place is None:
        raise NotConfigured(f"'{url}' is no address of a server; set FSF_URL to one such as https://fsf.example.org.")
    if place.username is not None or place.query or place.fragment:
        raise NotConfigured("FSF_URL holds a user, a query or a fragment; give the plain address, and the token in FSF_TOKEN.")
    return f"{place.scheme}://{place.netloc}{place.path.rstrip('/')}"


def _parts(url: str) -> SplitResult | None:
    """The parts of an http address, or None."""
    try:
        place = urlsplit(url)
        usable = place.scheme in DEFAULT_PORTS and bool(place.hostname) and place.port != 0
    except ValueError:
        return None
    return place if usable else None


@contextlib.contextmanager
def _content(body: bytes | Path | None) -> Iterator[tuple[Body, int]]:
    """What is sent, and how many bytes that is; a file is open while it is sent."""
    if not isinstance(body, Path):
        yield body, len(body or b"")
        return
    with body.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        yield _pieces(file, size), size


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """As many bytes as were announced, also of a file that grows meanwhile; raises OSError for one that shrinks."""
    while size > 0:
        piece = file.read(min(BLOCK, size))
        if not piece:
            raise OSError("the file became shorter while it was sent")
        size -= len(piece)
        yield piece


def _checked_token(token: str) -> str:
    token = token.strip()
    if not token:
        raise NotConfigured("No token is given; set FSF_TOKEN to one that this server issued.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise NotConfigured("FSF_TOKEN holds characters that no token has; copy it again.")
    return token


def _reason(wrong: Exception) -> str:
    said = wrong.strerror if isinstance(wrong, OSError) else None
    return said or str(wrong) or type(wrong).__name__
