"""optillm's server, with the number of samples of its self-consistency as a first argument: it has no such option."""

from __future__ import annotations

import sys
from functools import partial

# optillm lives in an environment of its own, where no type checker looks.
import optillm  # type: ignore[import-not-found]
from optillm import self_consistency  # type: ignore[import-not-found]

__all__: list[str] = []

if __name__ == "__main__":
    samples = int(sys.argv.pop(1))
    self_consistency.AdvancedSelfConsistency = partial(self_consistency.AdvancedSelfConsistency, num_samples=samples)
    optillm.main()
