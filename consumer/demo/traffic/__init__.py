"""Simulated SES traffic with the truth about it, for the demo, the tests and the benchmarks.

`cast` says who sends what to whom, `story` what becomes of a message, `reading` who opens and
clicks, `events` what SES says of it, `wrappings` how it arrives; `simulator` runs them in time and
`delivery` hands them over as a queue or a bucket would.
"""

from consumer.demo.traffic.delivery import Objects, Traffic, generate, write_firehose_objects

__all__ = ["Objects", "Traffic", "generate", "write_firehose_objects"]
