"""The papers' theory as pure functions: no config, no files."""
