"""Where envelopes come from; each module one transport, all keeping the contract in `base`."""
