"""What a request that passes through asks for is counted as the upstream would."""

from __future__ import annotations

from typing import Any

import pytest

from ponder.gateway.errors import Refused
from ponder.gateway.passthrough.reply_count import choices_of, whole


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"n": None}, 1),
        ({"n": 4}, 4),
        ({"n": 2, "best_of": 8}, 8),
        ({"n": 8, "best_of": 2}, 8),
        ({"n": 2, "prompt": "a text"}, 2),
        ({"n": 2, "prompt": ["a", "b", "c"]}, 6),
        ({"n": 2, "prompt": [17, 4, 99]}, 2),
        ({"n": 2, "prompt": [[17, 4], [99]]}, 4),
        ({"n": 2, "prompt": [[17, 4], 5, "x"]}, 6),
        ({"n": 1, "prompt": []}, 1),
    ],
)
def test_every_reply_is_counted(fields: dict[str, Any], expected: int) -> None:
    assert choices_of(**fields) == expected


@pytest.mark.parametrize("value", ["64", 64.0, 0, -1, True, [64], {}, "x" * 10_000])
def test_a_count_in_disguise_is_refused(value: object) -> None:
    with pytest.raises(Refused, match="is not a whole number from 1 to") as refused:
        whole("n", value)
    assert refused.value.status == 400
    assert len(str(refused.value)) < 150
