"""Sending what waits in the outbox, and marking it only once it was accepted."""

from __future__ import annotations

import logging
import smtplib
from dataclasses import dataclass
from email.policy import SMTP
from email.utils import parseaddr

from pipeline.alerts import webhook
from pipeline.alerts.mail import compose_message, connected, mail_address, one_line
from pipeline.alerts.outbox import GIVEN_UP_AFTER, WEBHOOK, Entry, Outbox, alerts_lock
from pipeline.errors import AlertError, ConfigurationError
from pipeline.settings import Settings

logger = logging.getLogger(__name__)

_GONE = (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError)
_REPLIES = (smtplib.SMTPResponseException, smtplib.SMTPNotSupportedError)


@dataclass
class _Tally:
    """What a round of sending came to."""

    accepted: int = 0
    refused: int = 0
    errors: dict[str, None] | None = None

    def fail(self, error: str, count: int) -> None:
        self.errors = {**(self.errors or {}), error: None}
        self.refused += count


def deliver(settings: Settings) -> int:
    """Send every alert that waits, to everybody who has not got it.

    A recipient that is refused holds up no other and is tried again next time, for three
    days; then the alert is given up for that recipient, which `tidemark doctor` shows.

    Args:
        settings: Through which server, and to which webhook.

    Returns:
        How many deliveries were accepted.

    Raises:
        AlertError: Somebody has not got an alert yet; it stays in the outbox.
        ConfigurationError: Recipients are set but no server is, an address is not one, or a
            secret would cross the network in clear.
    """
    with alerts_lock(settings):
        outbox = Outbox(settings)
        tally = _Tally()
        _post_waiting(settings, outbox, outbox.waiting(), tally)
        _mail_waiting(settings, outbox, outbox.waiting(), tally)
        outbox.prune(settings.now())
    if tally.errors:
        raise AlertError(
            f"{tally.refused} deliveries of alerts failed, {tally.accepted} were accepted: "
            f"{'; '.join(tally.errors)}. They stay in {settings.alerts_dir / 'outbox'}; mend the "
            "cause, then run `tidemark alerts send`"
        )
    return tally.accepted


def _mail_waiting(settings: Settings, outbox: Outbox, waiting: list[Entry], tally: _Tally) -> None:
    todo = [
        (entry, names)
        for entry in waiting
        if (names := [name for name in entry.waiting if name != WEBHOOK])
    ]
    if not todo:
        return
    sender = mail_address(settings.alert_from, "TIDEMARK_ALERT_FROM")
    sent: set[str] = set()
    try:
        with connected(settings) as client:
            for entry, names in todo:
                _mail_one(settings, outbox, client, sender, entry, names, tally)
                sent.add(entry.entry_id)
    except ConfigurationError:
        raise
    except OSError as exc:
        reason = f"the mail server failed: {type(exc).__name__}: {one_line(str(exc), 200)}"
        for entry, names in todo:
            if entry.entry_id not in sent:
                _refuse(settings, outbox, entry, dict.fromkeys(names, reason))
                tally.fail(reason, len(names))


def _mail_one(
    settings: Settings,
    outbox: Outbox,
    client: smtplib.SMTP,
    sender: str,
    entry: Entry,
    names: list[str],
    tally: _Tally,
) -> None:
    """Send one alert; a reply of the server to it is kept, a lost connection is raised."""
    message = compose_message(
        sender=sender,
        recipients=entry.recipients,
        subject=entry.subject,
        text=entry.text,
        html=entry.html,
        message_id=entry.message_id,
        sent_at=entry.created_at,
        chart=entry.chart,
    )
    try:
        refused = client.sendmail(parseaddr(sender)[1], names, message.as_bytes(policy=SMTP))
    except smtplib.SMTPRecipientsRefused as exc:
        refused = exc.recipients
    except _GONE:
        raise
    except _REPLIES as exc:
        refused = dict.fromkeys(names, _reply(exc))
    accepted = [name for name in names if name not in refused]
    for name in accepted:
        entry = entry.settled(name, "sent", settings.now())
    if accepted:
        # At once: what is not on disk when the machine dies is sent again.
        outbox.save(entry)
        tally.accepted += len(accepted)
        logger.info("mail sent to %d recipients: %s", len(accepted), one_line(entry.subject))
    if refused:
        reasons = {
            name: f"{name} was refused: {code} {one_line(_words(text), 120)}"
            for name, (code, text) in refused.items()
        }
        _refuse(settings, outbox, entry, reasons)
        for reason in reasons.values():
            tally.fail(reason, 1)


def _reply(exc: OSError) -> tuple[int, bytes]:
    code = getattr(exc, "smtp_code", 0)
    text = getattr(exc, "smtp_error", str(exc))
    return code, text if isinstance(text, bytes) else str(text).encode()


def _words(text: bytes) -> str:
    return text.decode(errors="replace")


def _refuse(settings: Settings, outbox: Outbox, entry: Entry, reasons: dict[str, str]) -> None:
    is_over = settings.now() - entry.created_at > GIVEN_UP_AFTER
    for name, reason in reasons.items():
        entry = entry.settled(name, "given up" if is_over else "waiting", settings.now(), reason)
        logger.warning("alert %s: %s", entry.entry_id, reason)
    outbox.save(entry)


def _post_waiting(settings: Settings, outbox: Outbox, waiting: list[Entry], tally: _Tally) -> None:
    for entry in waiting:
        if WEBHOOK not in entry.waiting:
            continue
        if settings.alert_webhook_url is None:
            reason = f"{webhook.VARIABLE} is not set any more"
        else:
            try:
                webhook.post(settings.alert_webhook_url, webhook.payload(entry.subject, entry.text))
            except OSError as exc:
                reason = str(exc)
            else:
                outbox.save(entry.settled(WEBHOOK, "sent", settings.now()))
                tally.accepted += 1
                continue
        _refuse(settings, outbox, entry, {WEBHOOK: reason})
        tally.fail(reason, 1)
