"""On Mixup Regularization: one module an item, the theorems, and pictures of the theory."""
