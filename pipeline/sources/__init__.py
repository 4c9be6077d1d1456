"""The vendors: one module each, one client for all of them, and who serves what."""
