"""Screens, rendered on the server."""
