"""Run folders, their records, and the committed tables. Free of torch."""
