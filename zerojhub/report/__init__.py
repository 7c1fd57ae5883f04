"""The only package that prints: live progress on standard error, results on standard output."""

from zerojhub.report.progress import Progress
from zerojhub.report.results import Output, show, table

__all__ = ["Output", "Progress", "show", "table"]
