"""PostgreSQL's types for DuckDB's, and values of both in text and binary.

https://www.postgresql.org/docs/15/datatype.html
"""
