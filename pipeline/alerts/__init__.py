"""Telling people what is wrong, once, until it is right again.

::

    findings    what a run found           -> problems, and what it looked at
    state       what was known before      -> what is new, worse, the same or over
    digest      what is worth a mail       -> subject, text, HTML, chart
    outbox      composed, not yet sent     -> files that survive a crash
    delivery    SMTP and webhook           -> marked as sent once accepted
"""
