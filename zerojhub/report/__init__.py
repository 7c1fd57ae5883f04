"""The only package that prints: live progress on standard error, results on standard output."""

from zerojhub.report.progress import Progress

__all__ = ["Progress"]
