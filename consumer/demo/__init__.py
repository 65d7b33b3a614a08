"""Everything `duckpost demo` needs: simulated SES traffic over a real transport on loopback."""
