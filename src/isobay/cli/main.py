"""The command ``isobay``: its groups, and how its errors are said."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from isobay import __version__
from isobay.cli import environments, instances, isos, keys, rules, store, tasks, terminal
from isobay.cli.activity import activity
from isobay.cli.add import add
from isobay.cli.doctor import doctor
from isobay.cli.download import download
from isobay.cli.files import files
from isobay.cli.importing import import_
from isobay.cli.inspect import inspect
from isobay.cli.opening import is_url
from isobay.cli.serve import serve
from isobay.cli.upload import upload
from isobay.cli.worker import worker
from isobay.errors import IsobayError, NotFoundError

FAILED, NOT_FOUND, INTERRUPTED = 1, 3, 130
WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

app = typer.Typer(
    name="isobay",
    help="A shelf of ISO images: read what an image really is, keep it, and serve it over CloudMC's REST API.",
    epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not found, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (inspect, files, add, upload, download, activity, doctor, serve, worker):
    app.command()(command)
app.command("import")(import_)
for name, group in (
    ("isos", isos.app),
    ("instances", instances.app),
    ("tasks", tasks.app),
    ("environments", environments.app),
    ("keys", keys.app),
    ("rules", rules.app),
    ("store", store.app),
):
    app.add_typer(group, name=name)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"isobay {__version__}")
        raise typer.Exit


@app.callback()
def isobay(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Read the options that stand before a command."""


def main() -> None:
    """Run the command line. Errors of ours are one sentence on standard error, and tell by their exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal of another encoding is no reason to fail
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:  # who reads went away, as `head` does
        _drop_output()
        code = FAILED
    except OSError as error:
        # Only writing gives these errors; with a file of ours they come as errors of ours, with others under a name.
        if error.errno not in WRITE_ERRORS or error.filename:
            raise
        _drop_output()
        terminal.say(f"isobay: Standard output cannot be written: {os.strerror(error.errno)}.")
        code = FAILED
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def _drop_output() -> None:
    """Let the interpreter not complain when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run() -> int:
    try:
        if not _inspected(sys.argv[1:]):
            app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except IsobayError as error:
        terminal.say(f"isobay: {error.message}")
        return NOT_FOUND if isinstance(error, NotFoundError) else FAILED
    return 0


def _inspected(arguments: list[str]) -> bool:
    """Run the plain forms of ``isobay inspect FILE`` without Typer, which loads pydantic to convert arguments.

    That takes a tenth of a second, as long as everything else this command does.
    """
    match arguments:
        case ["inspect", path] if _is_file(path):
            inspect(path)
        case ["inspect", "--json", path] | ["inspect", path, "--json"] if _is_file(path):
            inspect(path, as_json=True)
        case _:
            return False
    return True


def _is_file(word: str) -> bool:
    return not word.startswith("-") and not is_url(word)
