"""Data Dependency: one module an item, the theorems, and pictures of the theory."""
