"""Source text as a notebook shows it."""

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
