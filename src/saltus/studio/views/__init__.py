"""What each tab shows, computed without a browser: settings go in, figures, pictures and what gives the same elsewhere come out."""
