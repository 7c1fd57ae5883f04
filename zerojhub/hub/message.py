"""An announcement on the hub's pages, as JupyterHub's templates show it.

It is kept in the release, in an entry of `hub.extraConfig` that runs after all others: so it does not matter where the user's
values set other variables of the templates, and `up` keeps it as it keeps the secrets.
"""

from __future__ import annotations

import ast
import copy
import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zerojhub.hub.charts import ChartValues

ENTRY = "zz-zerojhub-message"
"""Entries run in the order of their names."""
MOVING = "This hub is about to move to another cluster. Save your work: all servers will be stopped."
"""Announced until the hub has moved, or stays after all."""
CODE = re.compile(r"c\.JupyterHub\.template_vars\.update\(\{'announcement': (?P<text>.*)\}\)")


def shown(values: ChartValues) -> str | None:
    """The announcement in the values of a release; None if there is none."""
    extra = (values.get("hub") or {}).get("extraConfig")
    code = CODE.fullmatch(str(extra.get(ENTRY))) if isinstance(extra, dict) else None
    return html.unescape(ast.literal_eval(code["text"])) if code else None


def with_message(values: ChartValues, text: str | None) -> ChartValues:
    """The values with this announcement, as plain text, or without one."""
    values = copy.deepcopy(values)
    hub = values.setdefault("hub", {})
    if text is not None:
        code = f"c.JupyterHub.template_vars.update({{'announcement': {html.escape(text)!r}}})"
        hub["extraConfig"] = {**(hub.get("extraConfig") or {}), ENTRY: code}
    elif shown(values) is not None:
        del hub["extraConfig"][ENTRY]
        if not hub["extraConfig"]:
            del hub["extraConfig"]
    return values
