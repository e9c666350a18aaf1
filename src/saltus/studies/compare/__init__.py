"""Every kernel and every rival sampler at equal network calls, and the page that shows it."""
