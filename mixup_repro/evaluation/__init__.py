"""Metrics of predictions, and the evaluations a finished run is put through."""
