"""A mail server that knows which alerts it took, and what their outbox says of them."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from nights import Home, Mailbox

_SETTLING_SECONDS = 0.05


class _Counting(SMTP):
    """A session that says when it begins and when it has ended."""

    def __init__(self, post: Post) -> None:
        super().__init__(post.mailbox)
        self._post = post

    def connection_made(self, transport: Any) -> None:
        self._post.open_sessions += 1
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._post.open_sessions -= 1


class _Server(Controller):
    def __init__(self, post: Post) -> None:
        self._post = post
        super().__init__(post.mailbox, hostname="127.0.0.1", port=post.mailbox.port)

    def factory(self) -> SMTP:
        return _Counting(self._post)


class Post:
    """The mails of one home, across its kills.

    A mail may come again only after a kill in the window that the outbox documents: the server
    had taken it, and the file did not say so yet.
    """

    def __init__(self) -> None:
        self.mailbox = Mailbox()
        self.open_sessions = 0
        self._taken: Counter[str] = Counter()
        self._unmarked: Counter[str] = Counter()

    def forget(self, _home: Home) -> None:
        """Begin with another home."""
        self.mailbox.envelopes.clear()
        self._taken, self._unmarked = Counter(), Counter()

    def subjects(self) -> list[str]:
        """Return the subjects of the alerts that were taken, each alert once."""
        by_id = {str(m["Message-ID"]): str(m["Subject"]) for m in self._messages()}
        return sorted(by_id.values())

    def doubled_count(self) -> int:
        """Return how many kills there were in the window."""
        return self._unmarked.total()

    def look(self, home: Home) -> Iterator[str]:
        """Yield what is wrong with the mails after a run, killed or not."""
        taken = Counter(str(message["Message-ID"]) for message in self._messages())
        for message_id, count in taken.items():
            if count > 1 + self._unmarked[message_id]:
                yield f"{message_id} came {count} times, {self._unmarked[message_id]} unmarked"
        for message_id, statuses in _outbox(home).items():
            is_marked = statuses == {"sent"}
            if is_marked and not taken[message_id]:
                yield f"{message_id} is marked as sent, and was not"
            if not is_marked and taken[message_id] > self._taken[message_id]:
                self._unmarked[message_id] += 1
        for message_id in taken.keys() - _outbox(home).keys():
            yield f"{message_id} was sent from nowhere"
        self._taken = taken

    def look_at_the_end(self, home: Home, wanted: list[str]) -> Iterator[str]:
        """Yield what is wrong once the work is complete: an alert that never came, or waits."""
        yield from self.look(home)
        if self.subjects() != wanted:
            yield f"the alerts are {self.subjects()}, not {wanted}"
        for message_id, statuses in _outbox(home).items():
            if statuses != {"sent"}:
                yield f"{message_id} is {statuses} in the outbox"

    def _messages(self) -> list[Any]:
        while self.open_sessions:
            time.sleep(_SETTLING_SECONDS)
        time.sleep(_SETTLING_SECONDS)
        return self.mailbox.messages()


def _outbox(home: Home) -> dict[str, set[str]]:
    """Return how far each alert of a home has come, by its Message-ID."""
    found = {}
    for path in sorted(Path(home.path / "alerts" / "outbox").glob("[!.]*.json")):
        entry = json.loads(path.read_bytes())
        found[entry["message_id"]] = {each["status"] for each in entry["deliveries"].values()}
    return found


@contextmanager
def running_post() -> Iterator[Post]:
    """Run a mail server until the block ends."""
    post = Post()
    server = _Server(post)
    server.start()
    try:
        yield post
    finally:
        server.stop()
