"""Source text of the package, for a notebook to show as code."""

from __future__ import annotations

import inspect
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
