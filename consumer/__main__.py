"""`python -m consumer` is `duckpost`."""

from consumer.cli import main

main()
