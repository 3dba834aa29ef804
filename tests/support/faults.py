"""A server in front of another that does to requests what networks and busy servers do."""

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle

# 503; no answer in time; half an answer; done, and an error all the same; done, and no answer at all.
FAULTS = ("busy", "late", "cut", "done, says 500", "done, hangs up")


class Proxy(ThreadingHTTPServer):
    """share: of the requests that go wrong, drawn from the seed, in each way by turns; counts: by way and method."""

    daemon_threads = True

    def __init__(self, address: str, share: float, seed: int, seconds: float):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host, self.share, self.seconds = address.removeprefix("http://"), share, seconds
        self.counts: Counter[tuple[str, str]] = Counter()
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._turns: dict[str, Iterator[str]] = {}

    def fault(self, method: str) -> str | None:
        with self._lock:
            if self._random.random() >= self.share:
                return None
            fault = next(self._turns.setdefault(method, cycle(FAULTS)))
            self.counts[fault, method] += 1
            return fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.fault(self.command)
        if fault == "busy":
            self._send(503, {}, b"<Error><Code>SlowDown</Code></Error>")
            return
        status, headers, data = self._forwarded(body)
        if fault == "late":
            time.sleep(self.server.seconds)
        if fault == "done, says 500":
            self._send(500, {}, b"<Error><Code>InternalError</Code></Error>")
        elif fault in ("done, hangs up", "cut") and not data:
            self.close_connection = True
        elif fault == "cut":
            self._send(status, headers, data, len(data) // 2)
            self.close_connection = True
        elif fault == "done, hangs up":
            self.close_connection = True
        else:
            self._send(status, headers, data)

    def _forwarded(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.server.host, timeout=30)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _send(self, status: int, headers: dict[str, str], data: bytes, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        size = headers.get("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", size or "0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:length])

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer  # noqa: N815 (named by the library)

    def log_message(self, *_) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            # The client gave up waiting, as it should.
            self.close_connection = True


@contextmanager
def faulty(address: str, share: float, seed: int, seconds: float) -> Iterator[tuple[str, Proxy]]:
    """Stand before the server at an address; yield the address to use instead, and the proxy."""
    server = Proxy(address, share, seed, seconds)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server
    finally:
        server.shutdown()
        server.server_close()
