"""Source text and live figures as a notebook shows them."""

import json
import re
from pathlib import Path

import pytest

from backprop import display
from backprop.contracts import checked


def example(x):
    return x


@checked
def example_with_a_gate(x):
    return x


def test_source_is_shown_as_code():
    shown = display.show_source(example, "x = 1\n").data
    assert shown == "```python\ndef example(x):\n    return x\n\n\nx = 1\n```"


def test_a_gate_does_not_hide_the_source():
    shown = display.show_source(example_with_a_gate).data
    assert shown == "```python\n@checked\ndef example_with_a_gate(x):\n    return x\n```"


def test_a_live_figure_holds_its_numbers_and_scripts():
    shown = display.show_live("walk", {"rate": 0.5, "text": "</script>"}).data
    numbers, figure, walk = re.findall("<script.*?>(.*?)</script>", shown, re.DOTALL)
    assert json.loads(numbers) == {"rate": 0.5, "text": "</script>"}
    folder = Path(display.__file__).parent / "live"
    assert figure.strip() == (folder / "figure.js").read_text(encoding="utf-8").strip()
    assert walk.strip() == (folder / "walk.js").read_text(encoding="utf-8").strip()
    assert shown.startswith('<backprop-walk><script type="application/json">{')
    assert shown.count("</script></backprop-walk>\n<script>\n") == 1


def test_a_live_figure_that_there_is_not():
    with pytest.raises(FileNotFoundError, match=r"missing\.js"):
        display.show_live("missing", {})
