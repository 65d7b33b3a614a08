"""What Amazon SES says and what duckpost keeps of it. Pure: pydantic and the standard library."""
