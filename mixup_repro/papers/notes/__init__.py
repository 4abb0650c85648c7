"""Three notes on Mixup and CutMix, line by line: what they say, and what of it holds."""
