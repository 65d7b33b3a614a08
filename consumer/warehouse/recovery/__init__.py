"""A file that does not open, or that is to be made again from the archive."""
