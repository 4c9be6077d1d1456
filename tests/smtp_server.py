"""A mail server on loopback that does as it is told."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Inbox:
    """Takes mail like a server; refuses the addresses, and the words, that it is told to."""

    refused: set[str] = field(default_factory=set)
    refused_words: bytes | None = None
    slow_seconds: float = 0.0
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_RCPT(
        self,
        _server: object,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: Session, envelope: Envelope) -> str:
        if self.slow_seconds:
            await asyncio.sleep(self.slow_seconds)
        assert isinstance(envelope.content, bytes)
        if self.refused_words is not None and self.refused_words in envelope.content:
            return "554 not in these words"
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(
        self, _server: object, _session: object, _envelope: object, _mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)

    def messages(self) -> list[EmailMessage]:
        """Return what was taken, in order."""
        found = []
        for envelope in self.envelopes:
            assert isinstance(envelope.content, bytes)
            parsed = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(parsed, EmailMessage)
            found.append(parsed)
        return found

    def only_message(self) -> EmailMessage:
        (message,) = self.messages()
        return message

    @property
    def taken_by(self) -> list[str]:
        """Return every recipient of everything that was taken."""
        return [name for envelope in self.envelopes for name in envelope.rcpt_tos]


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def serving(inbox: Inbox, **options: object) -> Iterator[int]:
    """Run the server and yield its port."""
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@contextmanager
def serving_tls(inbox: Inbox, context: ssl.SSLContext, **options: object) -> Iterator[int]:
    """Run a server that speaks TLS from the first byte on, and yield its port."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(
            lambda: SMTP(inbox, loop=loop, **options), "127.0.0.1", free_port(), ssl=context
        )
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
