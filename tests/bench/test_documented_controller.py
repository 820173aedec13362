"""The controller that the documentation shows works as a file, too."""

from __future__ import annotations

import re
from pathlib import Path

from ponder.replay.play.methods import methods
from ponder.replay.traces.trace import RecordedBranch, RecordedQuestion, build

PAGE = Path(__file__).parents[2] / "docs/controllers.md"


def test_the_first_block_of_the_page_saved_as_a_file_is_a_method(tmp_path: Path) -> None:
    first = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert first
    file = tmp_path / "mine.py"
    file.write_text(first[1])
    branches = [RecordedBranch("x" * i, 100 * i + 40, final) for i, final in ((1, "A"), (2, "B"), (3, "B"), (9, "A"))]
    trace = build("test", 100, [RecordedQuestion("?", "B", branches)])
    (method,) = methods(f"{file}(k=4,votes=2)")
    played = method.play(trace, orders=1, interpreted=True)
    assert played.correct.all()
    # The fourth round, in which the two that agree have finished, is the last that the long branch is charged for.
    assert played.tokens.tolist() == [[140 + 240 + 340 + 400]]
