"""Telling people that a run failed."""
