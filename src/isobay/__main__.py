"""The command ``isobay``, and ``python -m isobay``."""

from __future__ import annotations

from isobay.cli import main

if __name__ == "__main__":
    main()
