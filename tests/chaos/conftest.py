"""Nothing of its own: it puts this folder on the path, for the modules the tests share."""
