"""One door to the warehouse: whoever asks gets in, by the file or by the worker that has it."""
