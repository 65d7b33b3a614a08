"""What `duckpost check` finds out: what events come, whether mail gets here, whose views work."""
