"""Training methods: records of them, and a pure function from network and batch to losses each."""
