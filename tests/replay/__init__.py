"""Real media, as text, through the rules and as images."""
