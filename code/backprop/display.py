"""What a notebook shows besides text and pictures: source as code, and live figures."""

from __future__ import annotations

import inspect
import json
from importlib.resources import files
from typing import Any


def show_source(*things: Any) -> Any:
    """Return the source of functions and classes, for a notebook to show as code.

    Parameters
    ----------
    *things : function, class or str
        A str is source already, such as a part of a module's.

    Returns
    -------
    IPython.display.Markdown
    """
    from IPython.display import Markdown  # here, since only notebooks have it

    texts = (thing if isinstance(thing, str) else inspect.getsource(thing) for thing in things)
    return Markdown("```python\n" + "\n\n".join(texts).rstrip() + "\n```")  # type: ignore[no-untyped-call]


def show_live(name: str, data: Any) -> Any:
    """Return a live figure, for a notebook to show: an element with its numbers and its scripts.

    Parameters
    ----------
    name : str
        Of a script in the folder `live`, such as "walk".
    data : dict
        The numbers of the page from which the figure starts; whatever JSON can hold.

    Returns
    -------
    IPython.display.HTML
    """
    from IPython.display import HTML

    folder = files("backprop") / "live"
    scripts = [(folder / f"{part}.js").read_bytes().decode() for part in ("figure", name)]
    numbers = json.dumps(data).replace("</", r"<\/")  # or a text could end the script
    element = f'<script type="application/json">{numbers}</script>'
    html = f"<backprop-{name}>{element}</backprop-{name}>"
    return HTML(html + "".join(f"\n<script>\n{script}</script>" for script in scripts))  # type: ignore[no-untyped-call]
