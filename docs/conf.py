"""The documentation's settings: MyST markdown, built by Sphinx with the theme furo (`make docs`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "zerojhub"
author = "the zerojhub developers"
project_copyright = author

extensions = ["myst_parser", "sphinx_copybutton", "sphinx_design", "reference"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "zerojhub"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]

# Copied is what a person types: not the prompt, and not what the program answers.
copybutton_prompt_text = r"\$ |> "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

# What programs print between two commands is not always what the lexer of console blocks takes for output.
suppress_warnings = ["misc.highlighting_failure"]
