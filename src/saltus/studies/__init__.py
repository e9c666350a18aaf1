"""Long comparisons and experiments, kept in a folder with a page to read."""
