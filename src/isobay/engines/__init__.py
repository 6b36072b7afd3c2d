"""The engines behind service connections, and the seam they share."""
