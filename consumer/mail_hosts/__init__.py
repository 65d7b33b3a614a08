"""Whose mailboxes a domain has, by the host that takes its mail, where DNS may be asked."""
