"""What keeps a call from a whole response."""

from __future__ import annotations

import os
import ssl

from ponder.core.errors import Portable

__all__ = ["Broken", "CallFailed", "Insecure", "Malformed", "Silent", "Unconnected"]


class CallFailed(Portable):
    """There is no whole response.

    Unconnected     no connection to the server, or to the proxy before it
      Insecure      no encrypted one: its certificate, its protocol
    Silent          nothing came for so long
    Broken          the connection ended first
    Malformed       what came is no HTTP/1.1
    """


class Unconnected(CallFailed):
    """There is no connection; the message says why."""

    @classmethod
    def by(cls, error: Exception) -> Unconnected:
        """From what opening one has raised."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return Insecure(f"its certificate is not valid: {error.verify_message}")
        if isinstance(error, ssl.SSLError):
            return Insecure(error.reason or str(error))
        if isinstance(error, UnicodeError):
            return cls("that is no valid host name")
        # asyncio puts words of its own in the system's place, and name look-ups have negative numbers.
        number = getattr(error, "errno", None)
        return cls(os.strerror(number) if number and number > 0 else getattr(error, "strerror", None) or str(error))


class Insecure(Unconnected):
    """There is no connection that is encrypted as it should be."""


class Silent(CallFailed):
    """Nothing came for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"silent for {seconds:g} seconds")
        self.seconds = seconds


class Broken(CallFailed):
    """The connection ended; `begun` says whether anything of the response had come."""

    def __init__(self, *, begun: bool) -> None:
        super().__init__("closed in the middle" if begun else "closed without an answer")
        self.begun = begun


class Malformed(CallFailed):
    """The bytes that came are no response."""
