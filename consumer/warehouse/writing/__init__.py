"""One batch, one transaction: from its rows to what counts, and in which group once."""
