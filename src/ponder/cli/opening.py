"""From a model spec to a backend, in front of a person who waits."""

from __future__ import annotations

from ponder.core.backend import Backend

__all__ = ["open_model"]


def open_model(spec: str | None) -> Backend:
    """The backend for `spec`, or the default one; fetching weights shows its progress on standard error.

    Call it outside the event loop: there Ctrl-C ends a download at once, and a load as soon as the runtime lets go.

    Raises:
        UsageError: no such model.
        WeightsError: the weights cannot be had.
    """
    from ponder.backends import DEFAULT_MODEL, connect
    from ponder.backends.weights import terminal_progress

    with terminal_progress() as show:
        return connect(DEFAULT_MODEL if spec is None else spec, show)
