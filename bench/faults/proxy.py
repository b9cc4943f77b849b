"""A proxy before the product that loses replies after the product has given them, and remembers every one."""

import contextlib
import http.client
import json
import random
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "Idempotency-Key"
PASSED = ("Authorization", "Content-Type", "Accept", KEY)
RETURNED = ("Content-Type", "Location", "Retry-After", "Idempotent-Replayed")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time: the connection ends by a reset


@dataclass(frozen=True, slots=True)
class Reply:
    """What the product answered to one post."""

    status: int
    headers: dict[str, str]
    body: bytes
    dropped: bool

    @property
    def said(self) -> Any:
        """The content, without the word whether it was said before."""
        content = json.loads(self.body)
        return {name: value for name, value in content.items() if name != "replayed"} if isinstance(content, dict) else content


@dataclass(slots=True)
class Faults:
    """Which share of the replies to posts is lost; and every reply by the key of its post, oldest first."""

    share: float
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - nothing secret
    replies: dict[str, list[Reply]] = field(default_factory=lambda: defaultdict(list))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def dropped(self) -> int:
        """How many replies were lost so far."""
        return sum(reply.dropped for replies in self.replies.values() for reply in replies)


class _Between(BaseHTTPRequestHandler):
    """One connection of a client, and one to the product; both are kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    port: int
    faults: Faults
    product: http.client.HTTPConnection | None = None

    def log_message(self, *words: object) -> None:
        pass

    def do_GET(self) -> None:
        self._hand_on(None)

    def do_POST(self) -> None:
        self._hand_on(self.rfile.read(int(self.headers["Content-Length"])))

    def finish(self) -> None:
        super().finish()
        if self.product is not None:
            self.product.close()

    def _hand_on(self, body: bytes | None) -> None:
        try:
            answer, content = self._ask(body)
        except (OSError, http.client.HTTPException):  # the product is away: the client gets no answer either
            self.close_connection = True
            return
        headers = {name: value for name in RETURNED if (value := answer.getheader(name))}
        names = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        whole = f"HTTP/1.1 {answer.status} {answer.reason}\r\n{names}Content-Length: {len(content)}\r\n\r\n".encode() + content
        if body is not None and self._remember(Reply(answer.status, headers, content, dropped=False)):
            self._lose(whole)
        else:
            self.wfile.write(whole)

    def _ask(self, body: bytes | None) -> tuple[http.client.HTTPResponse, bytes]:
        passed = {name: self.headers[name] for name in PASSED if name in self.headers}
        if self.product is None:
            self.product = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.product.request(self.command, self.path, body, passed)
        answer = self.product.getresponse()
        return answer, answer.read()

    def _remember(self, reply: Reply) -> bool:
        """Note a reply; whether it is to be lost. Only what was stored is lost: a refusal could not be told from it otherwise."""
        with self.faults.lock:
            lost = reply.status < http.HTTPStatus.MULTIPLE_CHOICES and self.faults.chance.random() < self.faults.share
            self.faults.replies[self.headers[KEY] or ""].append(Reply(reply.status, reply.headers, reply.body, dropped=lost))
        return lost

    def _lose(self, whole: bytes) -> None:
        """End the connection without a byte of the reply, after half of it, or by a reset."""
        way = self.faults.chance.randrange(3)
        if way == 1:
            self.wfile.write(whole[: len(whole) // 2])
        if way == 2:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.close_connection = True
        self.connection.close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A client that went away in between is what is tried here."""


@contextlib.contextmanager
def between(port: int, faults: Faults) -> Iterator[int]:
    """The proxy before what listens at a port of loopback, as its own port."""
    server = _Quiet(("127.0.0.1", 0), type("Between", (_Between,), {"port": port, "faults": faults}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
