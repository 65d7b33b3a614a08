"""The command line: `duckpost`. What each verb does is in the module of its name."""

from consumer.cli.program import duckpost, main

__all__ = ["duckpost", "main"]
