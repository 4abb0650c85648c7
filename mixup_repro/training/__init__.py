"""Training: one loop, replicas inside it, checkpoints beside it."""
