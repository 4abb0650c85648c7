"""Many runs: in processes side by side, over a cluster, and what is left of them."""
