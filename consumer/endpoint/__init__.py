"""Live SQL: a PostgreSQL server in front of the warehouse, for reading alone.

Reading order: `server` accepts connections, `startup` sets one up (TLS, who is there), `session`
speaks on it. A statement goes through `statements` (what is it), `guard` (may it run) and `rows`
(its results as they go over the wire). `messages` and `types` are the formats.

https://www.postgresql.org/docs/15/protocol.html
"""
