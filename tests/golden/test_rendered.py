"""What is rendered is what was reviewed."""

from pathlib import Path

import yaml

RENDERED = Path(__file__).parent / "rendered"


def test_children_are_as_reviewed(every, update_golden):
    text = yaml.safe_dump_all(every.children, sort_keys=False, width=120)
    if update_golden:
        every.golden.write_text(text)
    assert every.golden.is_file(), "no golden file yet: run pytest tests/golden --update-golden and review it"
    assert text == every.golden.read_text(), "rendered objects changed: review with pytest tests/golden --update-golden"


def test_a_canary_is_as_reviewed(canary, update_golden):
    text = yaml.safe_dump_all(canary, sort_keys=False, width=120)
    golden = RENDERED / "canary" / "vllm-smallest.yaml"
    if update_golden:
        golden.write_text(text)
    assert text == golden.read_text(), "rendered objects changed: review with pytest tests/golden --update-golden"


def test_no_golden_file_is_left_over(all_names):
    assert {path.stem for path in RENDERED.glob("*.yaml")} == all_names
