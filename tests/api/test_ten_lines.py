"""Each of the three jobs by itself in at most ten lines, as a person would type them."""

from __future__ import annotations

from pathlib import Path

import pytest

SEARCH = """
import edgenas as en
data = en.load_images("digits", train_limit=300)
space = en.load_space("tiny", data=data)
table = en.measure_table(space, networks=8, force=True)
found = en.search(space, data, table, budget_share=0.8, evaluations=8, config={"supernet.epochs": 1, "threads": 1})
print(found.best)
"""
TABLE = """
import edgenas as en
space = en.load_space("tiny", classes=10, channels=1, resolutions=[8])
table = en.measure_table(space, runtime="litert", precision="int8", networks=8, out="tiny.json", force=True)
print(en.predict_latency(space.decode(space.smallest()), table))
"""
EXPORT = """
import edgenas as en
data = en.load_images("digits", train_limit=300, test_limit=60)
model = en.train("r8 | stem_k3_s1_c8_re | mb_k3_e2_c8_re | head_c16_re | n10", data, epochs=1, config={"threads": 1})
card = en.export(model, data, "out", recipe="tflite-fp32")
print(card.file("model.tflite").test.accuracy.value)
"""


@pytest.mark.parametrize("program", [SEARCH, TABLE, EXPORT], ids=["search", "table", "export"])
def test_a_job_alone_takes_at_most_ten_lines(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(program.strip().splitlines()) <= 10
    exec(program, {})
    assert capsys.readouterr().out.strip()
    # Whoever names no folder finds no new one.
    assert {path.name for path in tmp_path.iterdir()} <= {"tiny.json", "tiny.samples.jsonl", "out"}
