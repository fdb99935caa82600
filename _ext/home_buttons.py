"""Sphinx extension: launch and repository buttons, once the repository has a home.

The address stands in pyproject.toml alone. While it is not set, the buttons are left out
rather than broken.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config


def button_options(home: str) -> dict[str, Any]:
    """Return the theme options for a repository at `home`: none unless it is on GitHub."""
    if not home.startswith("https://github.com/"):
        return {}
    return {
        "repository_url": home,
        "use_repository_button": True,
        "use_issues_button": True,
        "launch_buttons": {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
        },
    }


def add_buttons(app: Sphinx, config: Config) -> None:
    """Put the buttons into the theme's options before the theme reads them."""
    pyproject = tomllib.loads(Path(app.srcdir, "pyproject.toml").read_text(encoding="utf-8"))
    config.html_theme_options.update(button_options(pyproject["project"]["urls"]["Repository"]))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("config-inited", add_buttons, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
