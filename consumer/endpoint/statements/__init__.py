"""From a string to something that may run.

`tokens` takes SQL apart, `classification` says what a statement is (`kinds`). What is to be read
goes through `rewriting` into DuckDB's SQL and past `guard`; `planning` does both, and binds it.
"""
