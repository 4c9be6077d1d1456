"""The HTTP server of the sandbox: the vendors' endpoints on one local port."""

from __future__ import annotations

import gzip
import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self

from pipeline.errors import ConfigurationError
from pipeline.sandbox.cast import Scenario
from pipeline.sandbox.faults import FaultBoard, FaultRule
from pipeline.sandbox.market import DEFAULT_COIN_COUNT, DEFAULT_FIRST_DAY, GrowingMarket, Labels
from pipeline.sandbox.messages import JSON_TYPE, ZIP_TYPE, Response, parse_request, render_json
from pipeline.sandbox.registry import VENDOR_NAMES
from pipeline.sandbox.routes import Router, Timing

logger = logging.getLogger(__name__)

_FAULTS_PATH = "/_sandbox/faults"
_LARGEST_REQUEST_BYTES = 64 * 1024
_SMALLEST_GZIP_BYTES = 500
_IDLE_SECONDS = 120.0
_DRIP_PIECES = 20
_DRIP_LENGTH = 5


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _parse_faults(body: bytes) -> dict[str, str | None]:
    faults = json.loads(body)
    if not isinstance(faults, dict) or not all(
        value is None or isinstance(value, str) for value in faults.values()
    ):
        raise ConfigurationError("faults are one JSON object of fault names or nulls")
    return faults


class _HttpServer(ThreadingHTTPServer):
    """Keeps its connections, so that closing it ends every thread that serves one."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        router: Router,
        clock: Callable[[], datetime],
        drip_seconds: float,
    ) -> None:
        self.router, self.clock, self.drip_seconds = router, clock, drip_seconds
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own would ask the name service about the host.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Wake every handler thread that waits, so that it ends."""
        self.stopping.set()
        with self._connections_lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    logger.debug("a sandbox connection was closed already")

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.warning("the sandbox could not answer %s", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _HttpServer
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    # Without it the kernel may hold a body back for 40 ms behind its headers.
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            logger.debug("a sandbox client went away")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        logger.debug("%s %s", self.address_string(), format % args)

    def do_GET(self) -> None:
        if self.path == _FAULTS_PATH:
            self._send_faults()
            return
        try:
            request = parse_request(self.path, self.server.clock, dict(self.headers.items()))
        except ConfigurationError as exc:
            self._send_error_text(400, str(exc))
            return
        self._send(self.server.router.answer(request), request.now)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LARGEST_REQUEST_BYTES:
            self.close_connection = True
            self._send_error_text(411, "send a small JSON object with its Content-Length")
            return
        body = self.rfile.read(int(length))
        if self.path != _FAULTS_PATH:
            self._send_error_text(404, f"only {_FAULTS_PATH} can be put")
            return
        try:
            self.server.router.faults.replace(_parse_faults(body))
        except (ValueError, ConfigurationError) as exc:
            self._send_error_text(400, str(exc))
            return
        self._send_faults()

    def do_DELETE(self) -> None:
        if self.path != _FAULTS_PATH:
            self._send_error_text(404, f"only {_FAULTS_PATH} can be deleted")
            return
        self.server.router.faults.clear()
        self._send_faults()

    def _send_error_text(self, status: int, message: str) -> None:
        self._send(Response(status, JSON_TYPE, render_json({"error": message})), _utc_now())

    def _send_faults(self) -> None:
        body = json.dumps(dict(self.server.router.faults)).encode()
        self._send(Response(200, JSON_TYPE, body), _utc_now())

    def _send(self, response: Response, now: datetime) -> None:
        if response.delay_seconds and self.server.stopping.wait(response.delay_seconds):
            self.close_connection = True
            return
        if response.wire == "none":
            self.close_connection = True
            return
        body, headers = response.body, dict(response.headers)
        is_gzip = "gzip" in self.headers.get("Accept-Encoding", "")
        is_packed = response.wire == "encoded" or response.content_type == ZIP_TYPE
        if is_gzip and len(body) >= _SMALLEST_GZIP_BYTES and not is_packed:
            # The fastest level: on one machine the client waits for the packing.
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        self.log_request(response.status, len(body))
        self.send_response_only(response.status)
        self.send_header("Server", "tidemark-sandbox")
        self.send_header("Date", format_datetime(now, usegmt=True))
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Vary", "Accept-Encoding")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if response.wire in ("cut", "reset"):
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            if response.wire == "reset":
                self._reset_connection()
        elif response.wire == "drip":
            self._drip(body)
        else:
            self.wfile.write(body)

    def _reset_connection(self) -> None:
        """Close the connection so that the client sees a reset and not an end."""
        no_lingering = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_lingering)
        os.close(self.connection.detach())

    def _drip(self, body: bytes) -> None:
        size = -(-len(body) // _DRIP_PIECES) or 1
        for start in range(0, len(body), size):
            self.wfile.write(body[start : start + size])
            if self.server.stopping.wait(self.server.drip_seconds):
                self.close_connection = True
                return


class Sandbox:
    """A sandbox server: bound when made, answering from ``start`` to ``close``.

    ``faults`` maps a vendor or an endpoint to a fault name and may be changed at any time.
    """

    def __init__(self, server: _HttpServer) -> None:
        self._server = server
        self._thread: threading.Thread | None = None
        self.faults = server.router.faults
        self.market = server.router.market

    @property
    def base_url(self) -> str:
        """``http://host:port`` without a slash at the end."""
        host, port = self._server.server_address[:2]
        name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
        return f"http://{name}:{port}"

    def url(self, vendor: str = "", now: datetime | None = None) -> str:
        """Return the address that stands for a vendor's host.

        Args:
            vendor: A name in ``pipeline.sources.vendors``; empty for the root.
            now: Answer as if it were this time; the real time when left out.

        Raises:
            ConfigurationError: There is no such vendor, or ``now`` has no time zone.
        """
        if vendor and vendor not in VENDOR_NAMES:
            raise ConfigurationError(f"the sandbox has no vendor {vendor!r}")
        prefix = ""
        if now is not None:
            if now.tzinfo is None:
                raise ConfigurationError("a pretended time needs a time zone")
            prefix = f"/at/{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return f"{self.base_url}{prefix}" + (f"/{vendor}" if vendor else "")

    def start(self) -> Self:
        """Answer requests in a background thread; starting again changes nothing."""
        if self._thread is not None:
            return self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="tidemark-sandbox"
        )
        self._thread.start()
        return self

    def run(self) -> None:
        """Answer requests in this thread until it is interrupted."""
        try:
            self._server.serve_forever()
        except KeyboardInterrupt:
            logger.info("the sandbox was stopped")
        finally:
            self.close()

    def close(self) -> None:
        """Stop answering, end every connection and thread, free the port. May be repeated."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.hang_up()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def create_server(
    seed: int = 7,
    *,
    first_day: date = DEFAULT_FIRST_DAY,
    coin_count: int = DEFAULT_COIN_COUNT,
    market: GrowingMarket | None = None,
    scenario: Scenario | None = None,
    labels: Labels | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    faults: Mapping[str, str] | FaultRule | None = None,
    slow_seconds: float = 5.0,
    clock: Callable[[], datetime] = _utc_now,
) -> Sandbox:
    """Make a sandbox server; enter it as a context, or call ``start`` and ``close``.

    Args:
        seed: Seed of the market.
        first_day: First day of the market.
        coin_count: Coins listed on the first day.
        market: Takes the place of the three above; share one to simulate only once.
        scenario: Days of the planted events.
        labels: Symbols and names in place of the invented ones, by coin id.
        host: Address to listen on; the sandbox has no password, so keep it local.
        port: 0 for any free port.
        faults: Faults to begin with, or a rule (see ``FaultBoard``).
        slow_seconds: How long the fault ``slow`` waits; ``slow_drip`` takes five times that.
        clock: The time of requests without ``/at/``.

    Returns:
        The server, bound to its port and not yet answering.

    Raises:
        ConfigurationError: A fault is unknown.
        OSError: The port is taken.
    """
    board = FaultBoard(faults)
    growing = market or GrowingMarket(seed, first_day, coin_count, scenario, labels)
    router = Router(growing, board, Timing(slow_seconds))
    drip_seconds = slow_seconds * _DRIP_LENGTH / _DRIP_PIECES
    return Sandbox(_HttpServer((host, port), router, clock, drip_seconds))


def run_forever(
    host: str,
    port: int,
    seed: int,
    first_day: date,
    coin_count: int,
    on_ready: Callable[[Sandbox], None] | None = None,
) -> None:
    """Serve until interrupted; the market grows as real days pass.

    Args:
        host: Address to listen on.
        port: 0 for any free port.
        seed: Seed of the market.
        first_day: First day of the market.
        coin_count: Coins listed on the first day.
        on_ready: Called once the port is bound and the market is simulated.

    Raises:
        ConfigurationError: The market cannot be made.
        OSError: The port is taken.
    """
    sandbox = create_server(seed, first_day=first_day, coin_count=coin_count, host=host, port=port)
    try:
        sandbox.market.until(_utc_now().date())
        logger.info("the sandbox answers at %s", sandbox.base_url)
        if on_ready is not None:
            on_ready(sandbox)
        sandbox.run()
    finally:
        sandbox.close()
