"""What every section of the deployment file is made of."""

from __future__ import annotations

import re

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A mapping in the file. The docstring of each key is its description in the reference (docs/_ext/reference.py)."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, use_attribute_docstrings=True)


def matching(pattern: str, what: str) -> AfterValidator:
    """Text that the whole pattern matches; `what` says in words what that is."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError("pattern", f"must be {what}")
        return text

    return AfterValidator(check)
