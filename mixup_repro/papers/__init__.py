"""One module for each item of a paper: what it reports, what it claims, how it is drawn."""
