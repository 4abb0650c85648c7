"""mixup_repro: the reference reproduction of mixup's theory."""

__version__ = "0.1.0"
