import re
from pathlib import Path

import anomaly.policy

ROOM = Path(anomaly.policy.__file__).parent
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "policy.md"
IDS = re.compile(r'(?:_dead|_unlikely|look\.remark|Remark)\(\s*"([a-z-]+)"')


def test_every_trap_is_on_the_reference_page():
    sources = [*ROOM.glob("traps/*.py"), ROOM / "doubt.py", ROOM / "lint.py", ROOM / "refusal.py"]
    ids = {id for source in sources for id in IDS.findall(source.read_text(encoding="utf-8"))}
    page = PAGE.read_text(encoding="utf-8")

    assert len(ids) > 40
    assert sorted(id for id in ids if f"`{id}`" not in page) == []
