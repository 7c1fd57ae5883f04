"""What people and programs see: live progress on standard error, results on standard output. Nothing else prints."""

from zerojhub.report.progress import Progress
from zerojhub.report.results import Output, show, table

__all__ = ["Output", "Progress", "show", "table"]
