"""Sphinx extension: what depends on the address of the repository and of the book.

The repository's stands in pyproject.toml alone. While it is not set, the buttons that need it are
left out rather than broken, and so is the map of the site.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config


def options(home: str) -> dict[str, Any]:
    """Return what Sphinx's configuration gets for a repository at `home`: nothing off GitHub."""
    found = re.fullmatch(r"https://github\.com/([^/]+)/([^/]+)", home)
    if not found:
        return {"notfound_urls_prefix": "/"}
    owner, name = found.groups()
    site = f"https://{owner.lower()}.github.io/{name}/"
    return {
        "html_baseurl": site,
        "ogp_site_url": site,
        "sitemap_url_scheme": "{link}",
        "notfound_urls_prefix": f"/{name}/",
        "html_theme_options": {
            "repository_url": home,
            "use_repository_button": True,
            "use_issues_button": True,
            "use_edit_page_button": True,
            "launch_buttons": {
                "notebook_interface": "jupyterlab",
                "binderhub_url": "https://mybinder.org",
                "colab_url": "https://colab.research.google.com",
            },
        },
    }


def home_of(app: Sphinx) -> str:
    """Return the repository's address."""
    pyproject = tomllib.loads(Path(app.srcdir, "pyproject.toml").read_text(encoding="utf-8"))
    return str(pyproject["project"]["urls"]["Repository"])


def settle(app: Sphinx, config: Config) -> None:
    """Put the options where the theme and the extensions look for them."""
    found = options(home_of(app))
    config.html_theme_options.update(found.pop("html_theme_options", {}))
    for name, value in found.items():
        setattr(config, name, value)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    if "html_baseurl" in options(home_of(app)):
        app.setup_extension("sphinx_sitemap")  # without an address it would warn
    app.connect("config-inited", settle, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
