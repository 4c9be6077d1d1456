#!/usr/bin/env python3
"""A stand-in for Mailpit: SMTP on 1025, and on 8025 the part of its API that the tests ask."""

import base64
import email
import email.policy
import html
import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller

MAILS: list[email.message.EmailMessage] = []
LOCK = threading.Lock()


class Catcher:
    """Keeps every mail in memory."""

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        """Take one mail."""
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        with LOCK:
            MAILS.append(mail)
        return "250 taken"


def page_of(mail: email.message.EmailMessage) -> str:
    """Return a mail's HTML with its pictures in it."""
    page = body_of(mail, "html")
    for part in mail.walk():
        name = (part["Content-ID"] or "").strip("<>")
        if name:
            picture = base64.b64encode(part.get_payload(decode=True)).decode()
            page = page.replace(f"cid:{name}", f"data:{part.get_content_type()};base64,{picture}")
    return page


def body_of(mail: email.message.EmailMessage, kind: str) -> str:
    """Return a mail's text or HTML, empty where it has none."""
    part = mail.get_body((kind,))
    return "" if part is None else part.get_content()


class Pages(BaseHTTPRequestHandler):
    """The API, and a page to look at."""

    def do_GET(self) -> None:
        """Answer one request."""
        with LOCK:
            mails = list(MAILS)
        path = self.path.partition("?")[0]
        name = path.rsplit("/", 1)[-1]
        if path == "/readyz":
            self.answer("text/plain", "ok")
        elif path == "/api/v1/messages":
            listed = [
                {
                    "ID": str(number),
                    "Subject": str(mail["Subject"]),
                    "To": [{"Address": address.addr_spec} for address in mail["To"].addresses],
                }
                for number, mail in enumerate(mails)
            ]
            newest_first = listed[::-1]
            self.answer(
                "application/json", json.dumps({"total": len(mails), "messages": newest_first})
            )
        elif path.startswith("/api/v1/message/") and name.isdecimal() and int(name) < len(mails):
            mail = mails[int(name)]
            told = {
                "Subject": str(mail["Subject"]),
                "Text": body_of(mail, "plain"),
                "HTML": body_of(mail, "html"),
            }
            self.answer("application/json", json.dumps(told))
        elif path.startswith("/view/") and name.isdecimal() and int(name) < len(mails):
            self.answer("text/html; charset=utf-8", page_of(mails[int(name)]))
        elif path == "/":
            rows = "".join(
                f'<li><a href="/view/{number}">{html.escape(str(mail["Subject"]))}</a></li>'
                for number, mail in enumerate(mails)
            )
            self.answer("text/html; charset=utf-8", f"<h1>Stand-in catcher</h1><ul>{rows}</ul>")
        else:
            self.send_error(404)

    def answer(self, kind: str, text: str) -> None:
        """Send one page."""
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep silent."""


if __name__ == "__main__":
    if sys.argv[1:] == ["readyz"]:
        urllib.request.urlopen("http://localhost:8025/readyz", timeout=4).close()
    else:
        Controller(Catcher(), hostname="0.0.0.0", port=1025).start()  # noqa: S104
        ThreadingHTTPServer(("0.0.0.0", 8025), Pages).serve_forever()  # noqa: S104
