"""What every command shares: one line for an error, an exit code that scripts can trust, quiet libraries."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from ponder.core.errors import PonderError, PonderWarning, UnknownName, UsageError, describe

__all__ = ["INTERRUPTED", "TERMINATED", "Shell", "Terminated", "Unwritable", "say"]

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
BROKEN_PIPE = 128 + signal.SIGPIPE


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated like Ctrl-C."""


class Unwritable(UsageError):
    """Standard output takes nothing more."""


class _Output(io.TextIOWrapper):
    """Standard output, on which a full disk is not an internal error. A closed pipe stays what it is.

    Raises:
        Unwritable: from whatever prints.
    """

    def __init__(self, under: io.TextIOWrapper) -> None:
        super().__init__(
            under.buffer, under.encoding, "replace", line_buffering=under.line_buffering,
            write_through=under.write_through,
        )  # fmt: skip
        self._under = under  # it would close the buffer as it goes

    def write(self, text: str) -> int:
        with _writing():
            return super().write(text)

    def flush(self) -> None:
        with _writing():
            super().flush()


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritable(f"cannot write the output: {error.strerror}") from error


def say(text: str) -> None:
    """One line on standard error, if it takes any: there is no other place to complain."""
    with suppress(OSError):
        print(f"ponder: {text}", file=sys.stderr, flush=True)


class Shell(click.Group):
    """A group that lists its commands in the order in which they were added, and ends every failure in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, the most used first."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise UnknownName("command", args[0], self.commands)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run the command line and exit."""
        try:
            _set_up()
            result = super().main(*args, **{"prog_name": "ponder", **options, "standalone_mode": False})
        except click.ClickException as error:
            result = _explain(error)
        except (KeyboardInterrupt, click.Abort) as stop:
            result = _stopped(stop)
        except SystemExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the last place where a person can be told
            result = _failed(error)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # what is left is to go
        sys.exit(_flushed(result if isinstance(result, int) else 0))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the exit code if it is stopped, or nobody reads what it prints: click has other words."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            return _stopped(stop)
        except BrokenPipeError:
            return BROKEN_PIPE


def _set_up() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminate)
    _open_what_is_closed()
    _quieten()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _Output(sys.stdout)


def _open_what_is_closed() -> None:
    """Who closes the standard output wants none of it; a stream that is not there would be an error of its own."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - it is open until the end
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115


def _quieten() -> None:
    """Keep what libraries log or warn about off the terminal, and let any text be printed anywhere."""
    if not _debugging():
        logging.getLogger().addHandler(logging.NullHandler())
        warnings.simplefilter("ignore")
        warnings.simplefilter("once", PonderWarning)
        warnings.showwarning = _warn
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    say(str(message))


def _debugging() -> bool:
    return bool(os.environ.get("PONDER_DEBUG"))


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated


def _stopped(stop: BaseException) -> int:
    if sys.stderr.isatty():  # the terminal has echoed ^C
        print(file=sys.stderr)
    terminated = isinstance(stop, Terminated)
    notes = getattr(stop, "__notes__", ())
    say(("terminated" if terminated else "interrupted") + (f" ({'; '.join(notes)})" if notes else ""))
    return TERMINATED if terminated else INTERRUPTED


def _failed(error: BaseException) -> int:
    if _debugging():
        traceback.print_exception(error)
    known = isinstance(error, PonderError)
    text = describe(error) if known else f"internal error: {describe(error)}"
    notes = [*getattr(error, "__notes__", ())]
    if not known:
        notes.append("PONDER_DEBUG=1 shows the traceback")
    say(text + (f" ({'; '.join(notes)})" if notes else ""))
    return error.exit_code if isinstance(error, PonderError) else 1


def _explain(error: click.ClickException) -> int:
    """A mistake on the command line, in one line with the nearest name and where to read more."""
    if isinstance(error, click.NoSuchOption):
        text = f"unknown option {error.option_name!r}"
        if error.possibilities:
            text += f"; did you mean {error.possibilities[0]!r}?"
    else:
        message = error.format_message().rstrip(".")
        text = message[:1].lower() + message[1:]
    context = error.ctx if isinstance(error, click.UsageError) else None
    say(text if text.endswith("?") else f"{text}; see `{context.command_path if context else 'ponder'} --help`")
    return error.exit_code


def _flushed(code: int) -> int:
    """`code`, unless the output cannot be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        failure = BROKEN_PIPE
    except Unwritable as error:
        failure = code or _failed(error)
    else:
        return code
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again at exit
    return code or failure
