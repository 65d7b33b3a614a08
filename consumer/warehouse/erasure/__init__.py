"""Takes an address out of everything there is, and rewrites the file."""
