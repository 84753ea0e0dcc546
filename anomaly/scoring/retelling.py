"""Which of the windows that deviate are told now: gathering the very events behind one costs more than judging it.

A busy window stays over the line while it fills; told at every look, it would be read at every look. What was never told goes first,
then what became another or a graver story, then what was told longest ago; of each only so many at a look, so that a flood of
deviations delays news of old ones and never a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from anomaly.scoring.deviation import Deviation

AGAIN_SECONDS: Final = 30.0
"""How long a window that was told waits before it is told again with what came since."""
NEW_AT_ONCE: Final = 16
AGAIN_AT_ONCE: Final = 1
"""A busy window is told again with twenty thousand events: seconds, in which nothing new is looked for."""
CHECKED_AT_ONCE: Final = 16
"""Windows told lately of which it is looked at once whether they became another story: each costs an explanation."""
_MOST: Final = 20_000

Window = tuple[int, int]


class Retelling:
    """What was told lately, by window: when, and as what."""

    def __init__(self) -> None:
        self._told: dict[Window, tuple[float, str, str]] = {}
        self._checked: dict[Window, float] = {}

    def worth(self, windows: Sequence[Window], now: float) -> list[int]:
        """This will return which of the windows over the line are to be explained for `choose`, as places in their order: no more
        than it can tell, and of those told lately some in turn. `windows` begins with the strangest."""
        new: list[int] = []
        lately: list[int] = []
        again: list[int] = []
        for place, window in enumerate(windows):
            if (said := self._told.get(window)) is None:
                new.append(place)
            else:
                (again if now - said[0] >= AGAIN_SECONDS else lately).append(place)
        again.sort(key=lambda place: self._told[windows[place]][0])
        lately.sort(key=lambda place: self._checked.get(windows[place], 0.0))
        chosen = new[:NEW_AT_ONCE] + again[:AGAIN_AT_ONCE] + lately[:CHECKED_AT_ONCE]
        if len(self._checked) >= _MOST:
            self._checked = {}
        self._checked |= {windows[place]: now for place in chosen}
        return sorted(chosen)

    def choose(self, found: Sequence[Deviation], now: float) -> list[tuple[Deviation, bool]]:
        """This will return the deviations to tell at `now` (seconds that only go up), each with whether it is told as what it is for
        the first time, and take them for told. `found` begins with the strangest."""
        new, other, again = [], [], []
        for one in found:
            said = self._told.get(_window(one))
            if said is None:
                new.append(one)
            elif said[1:] != _story(one):
                other.append(one)
            elif now - said[0] >= AGAIN_SECONDS:
                again.append(one)
        again.sort(key=lambda one: self._told[_window(one)][0])
        first = [*new, *other][:NEW_AT_ONCE]
        chosen = [(one, True) for one in first] + [(one, False) for one in again[:AGAIN_AT_ONCE]]
        if len(self._told) >= _MOST:
            self._told = {key: said for key, said in self._told.items() if now - said[0] < 4 * AGAIN_SECONDS}
        for one, _ in chosen:
            self._told[_window(one)] = now, *_story(one)
        return chosen


def _window(one: Deviation) -> Window:
    return one.entity.id, one.start_us


def _story(one: Deviation) -> tuple[str, str]:
    return one.name, str(one.severity)
