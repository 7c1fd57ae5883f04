"""The known differences between the practice cloud and real services, as tables.

```{differences} networks
```
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from zerojhub import practice
from zerojhub.yamlfile import read_yaml

FILE = Path(practice.__file__).with_name("differences.yaml")


class Differences(SphinxDirective):
    """One section of the file as a MyST table."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[Any]:
        self.env.note_dependency(str(FILE))
        rows = [("Request", "A real cloud", "The practice cloud", "Why"), ("---",) * 4]
        for each in read_yaml(FILE)[self.arguments[0]]:
            requests = " · ".join(f"`{name}`" for name in each["requests"])
            rows.append((requests, each["real"], each["practice"], each["why"]))
        return self.parse_text_to_nodes("\n".join(f"| {' | '.join(row)} |" for row in rows))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("differences", Differences)
    return {"parallel_read_safe": True}
