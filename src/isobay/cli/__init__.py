"""The command line: one file a group of commands."""

from isobay.cli.main import main

__all__ = ["main"]
