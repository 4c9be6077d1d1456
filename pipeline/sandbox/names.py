"""Invented coin names and tickers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_OPENINGS = _words(
    "bal bren cal cor dar del dor elm fen fir gal gor hal hes ist jar kel kor lam lor mar mel "
    "mir nal nor ol par pel quor ral ren sal sel sor tal tor ul val vel vor wen wil yar zel zor"
)
_MIDDLES = _words("a e i o u ia eo au ori ani ela una ado ivi osa umi ere ala")
_ENDINGS = _words("bis dra fel gon lis mar nex nis pha quin ra ris ron sa tha tis vex vos xen zar")
_KINDS = ("", "", "", "", " Network", " Protocol", " Finance", " Chain", " Coin", " DAO")


@dataclass(frozen=True)
class CoinName:
    """An invented coin: its id (``sim-`` and a word), lower-case ticker and display name."""

    coin_id: str
    symbol: str
    name: str


class NameMint:
    """Mints names that do not repeat; the nth name depends on the first n draws only."""

    def __init__(self, reserved_symbols: set[str]) -> None:
        self._words: set[str] = set()
        self._symbols = set(reserved_symbols)

    def mint(self, random: np.random.Generator) -> CoinName:
        """Return the next name, with draws from ``random``."""
        while True:
            word = "".join(
                part[int(random.integers(len(part)))] for part in (_OPENINGS, _MIDDLES, _ENDINGS)
            )
            if word not in self._words:
                break
        self._words.add(word)
        kind = _KINDS[int(random.integers(len(_KINDS)))]
        return CoinName(f"sim-{word}", self._free_symbol(word), word.capitalize() + kind)

    def _free_symbol(self, word: str) -> str:
        consonants = word[0] + "".join(letter for letter in word[1:] if letter not in "aeiou")
        candidates = [consonants[:3], consonants[:4], word[:4], consonants[:5], word[:5], word]
        symbol = next((text for text in candidates if text not in self._symbols), word + "x")
        self._symbols.add(symbol)
        return symbol
