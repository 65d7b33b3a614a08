"""The messages of protocol 3.0 as bytes: what clients send is parsed, what they get is built."""
