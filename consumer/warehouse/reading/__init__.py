"""What other programs may read, and how rows leave: one catalog a role."""
