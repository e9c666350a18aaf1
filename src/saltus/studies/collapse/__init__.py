"""The collapse of the deterministic decoder: the experiment, what it shows in sentences, and its page."""
