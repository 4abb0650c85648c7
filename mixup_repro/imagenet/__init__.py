"""Image sets too large for memory, read from disk while training."""
