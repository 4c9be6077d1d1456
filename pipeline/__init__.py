"""Tidemark: point-in-time crypto size indices and sentiment signals, every night."""

__version__ = "0.1.0"
