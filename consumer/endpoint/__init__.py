"""Live SQL: a PostgreSQL server in front of the warehouse, for reading alone.

Reading order: `server` accepts connections, `startup` sets one up (TLS, who is there), `session`
speaks on it: what is asked goes through `statements` (what is it, may it run) and comes back as
`answers`; `queries` runs what is read, `rows` makes bytes of it. `messages` and `types` are the
formats.

https://www.postgresql.org/docs/15/protocol.html
"""
