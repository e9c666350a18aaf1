"""The quality of the rows that a run of a table generates: what is compared, what is measured, and the page that tells."""
