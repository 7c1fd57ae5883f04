"""Sphinx configuration: MyST markdown, furo theme (`make docs`)."""

import sys
from pathlib import Path

from zerojhub import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "zerojhub"
author = "the zerojhub developers"
project_copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx_copybutton", "sphinx_design", "coe", "differences", "reference"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"zerojhub {release}"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]

# Copy only the commands, without prompts and output.
copybutton_prompt_text = r"\$ |> "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

# The console lexer does not accept every output that programs print between two commands.
suppress_warnings = ["misc.highlighting_failure"]
