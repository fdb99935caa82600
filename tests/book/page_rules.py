"""The rules for a page of the built book. Each takes a parsed page and returns what breaks it."""

import re
from urllib.parse import unquote, urlsplit

# What makes a browser fetch something while it opens the page: tag -> attribute.
LOADING = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
}
FETCHED_LINKS = {"stylesheet", "preload", "prefetch", "icon", "modulepreload", "preconnect"}
FOREIGN_CSS = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:https?:)?//[^'\")\s]+)")

LATEX = re.compile(r"\$\$|\\[a-zA-Z]+|\\[()\[\]]|\$[^\s$]+\$")
LEFT_OVER = re.compile(r"\?\?|:::|\{(?:eq|ref|numref|cite|doc|term|glue)\b[^}]*\}")
LOOSE_PERCENT = re.compile(r"\d %")
FILE_NAME = re.compile(r".+\.(?:png|svg|jpe?g|gif|webp)", re.IGNORECASE)
LAUNCHERS = re.compile(r"colab\.research\.google\.com|mybinder\.org")


def article(page):
    """Return the part of a page that its author wrote, or the whole page."""
    return page.select_one("article") or page


def is_foreign(address):
    return urlsplit(address).netloc != ""


def loads_nothing_from_other_hosts(page):
    addresses = [tag.get(LOADING[tag.name], "") for tag in page.find_all(list(LOADING))]
    addresses += [
        link.get("href", "")
        for link in page.find_all("link")
        if FETCHED_LINKS & set(link.get("rel", []))
    ]
    broken = [f"loads {address}" for address in addresses if is_foreign(address)]
    styles = [tag.get_text() for tag in page.find_all("style")]
    styles += [tag["style"] for tag in page.find_all(style=True)]
    return broken + [
        f"its style loads {url}" for text in styles for url in FOREIGN_CSS.findall(text)
    ]


def has_title(page):
    title = page.title.get_text(strip=True) if page.title else ""
    heading = article(page).h1
    if not heading or not heading.find(string=True, recursive=False):
        return ["the article has no title"]
    number = heading.find(class_="section-number")
    words = f"{number.get_text(strip=True) if number else ''} "
    words = (words + heading.find(string=True, recursive=False).strip()).lstrip()
    if not title.startswith(words):
        return [f"expected a <title> that begins with {words!r}, got {title!r}"]
    return []


def has_no_empty_heading(page):
    return [
        f"empty heading <{tag.name}>"
        for tag in page.find_all(re.compile(r"^h[1-6]$"))
        if not tag.get_text(strip=True).strip("#")
    ]


def has_alt_texts(page):
    """The mark has none: it stands beside the book's name."""
    return [
        f"picture {image.get('src', '')[:60]} has the alt text {image.get('alt')!r}"
        for image in page.find_all("img")
        if not (alt := image.get("alt", "").strip()) or FILE_NAME.fullmatch(alt)
        if not image.find_parent(class_="navbar-brand")
    ]


def prose(page, pattern):
    """Return what matches in the article's texts outside code."""
    return [
        pattern.search(text).group()
        for text in article(page).find_all(string=pattern)
        if not any(parent.name in ("code", "pre", "script", "style") for parent in text.parents)
    ]


def shows_no_raw_latex(page):
    names = [page.title.get_text() if page.title else ""]
    names += [image.get("alt", "") for image in page.find_all("img")]
    raw = prose(page, LATEX) + [name for name in names if LATEX.search(name)]
    return [f"raw LaTeX: {text!r}" for text in raw]


def shows_no_left_overs(page):
    """Unresolved references, unread roles and directives, notes to the test tools."""
    found = prose(page, LEFT_OVER) + re.findall("(?i)nbval", article(page).get_text())
    return [f"left over: {text!r}" for text in found]


def keeps_percent_signs_with_their_numbers(page):
    return [f"may be broken: {text!r}" for text in prose(page, LOOSE_PERCENT)]


def shows_no_error_of_the_builder(page):
    return [
        f"message of the builder: {box.get_text(' ', strip=True)[:80]!r}"
        for box in page.select(".system-message, .problematic")
    ]


def has_one_search_field(page):
    fields = page.select("input[type=search]")
    return [] if len(fields) == 1 else [f"expected one search field, got {len(fields)}"]


def has_unique_ids(page):
    ids = [tag["id"] for tag in page.find_all(id=True)]
    return [
        f"the id {name!r} is given twice" for name in sorted({i for i in ids if ids.count(i) > 1})
    ]


def launches_nothing(page):
    """While nobody has set the repository's home, buttons that lead there would be broken."""
    links = [link.get("href", "") for link in page.find_all("a")]
    return [
        f"leads to {link}"
        for link in links
        if LAUNCHERS.search(link) or (urlsplit(link).hostname or "").endswith(".invalid")
    ]


RULES = [
    loads_nothing_from_other_hosts,
    has_title,
    has_no_empty_heading,
    has_alt_texts,
    shows_no_raw_latex,
    shows_no_left_overs,
    keeps_percent_signs_with_their_numbers,
    shows_no_error_of_the_builder,
    has_one_search_field,
    has_unique_ids,
]


def broken_links(pages, folder):
    """Return the links and pictures that lead nowhere; `pages` is path in `folder` -> page."""
    ids = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in pages.items()}
    broken = []
    for path, page in pages.items():
        for tag in page.find_all(["a", "link", "script", "img"]):
            address = urlsplit(tag.get("href") or tag.get("src") or "")
            if address.scheme or address.netloc:
                continue
            target = path
            if address.path:
                target = (folder / path).parent.joinpath(unquote(address.path)).resolve()
                if not target.is_file():
                    broken.append(f"{path}: {address.path} does not exist")
                    continue
                target = str(target.relative_to(folder.resolve()))
            if address.fragment and target in ids and unquote(address.fragment) not in ids[target]:
                broken.append(f"{path}: {target} has no #{address.fragment}")
    return broken
