"""Settings of Sphinx for the web book: `make book` writes it to build/book from the stored notebooks.

With the tag `zh` it is the Chinese edition, which lies in a folder `zh` of the English one.
"""

import importlib.util
from pathlib import Path

from sphinx.search.zh import SearchChinese

chinese = tags.has("zh")  # noqa: F821  (Sphinx gives it to this file)
language = "zh_CN" if chinese else "en"
project = "动手实践现代卷积神经网络" if chinese else "Modern convolutional networks, hands on"
author = "The contributors"
copyright = "2026, the contributors, CC BY 4.0"
if chinese:
    # Sphinx 9 brings the stemmer of English for the search in Chinese pages, and then looks for another.
    SearchChinese.language_name = "English"
extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinx_copybutton"]
nb_execution_mode = "off"  # the stored outputs are those that nbval compares
myst_enable_extensions = ["dollarmath"]
suppress_warnings = ["myst.header"]  # chapters may skip a level of headings

html_theme = "sphinx_book_theme"
html_title = project
html_theme_options = {
    "show_navbar_depth": 1,
    "home_page_in_toc": True,
    "navbar_persistent": [],
    "article_header_start": ["toggle-primary-sidebar.html", "edition.html"],
}
templates_path = ["templates"]
translated = {path.stem for path in Path(__file__).parents[1].glob("notebooks/zh/*.ipynb")}
html_context = {
    "translated": translated and translated | {"index"},
    "other_edition": "../" if chinese else "zh/",
    "other_language": "English" if chinese else "中文",
}
html_css_files = ["book.css"]
html_js_files = ["edition.js"]
# MathJax comes with the book: one file, which draws with its own shapes and needs no fonts.
mathjax = importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations[0]
html_static_path = ["book.css", "edition.js", str(Path(mathjax, "static", "mathjax", "tex-svg.js"))]
mathjax_path = "tex-svg.js"
copybutton_selector = "div.cell_input pre"
