"""duckpost's worker: from an envelope at a transport to a committed row, and out again."""
