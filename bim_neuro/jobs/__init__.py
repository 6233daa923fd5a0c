"""Jobs: one command each, from a request to a written result."""
