"""The report: all settings in all environments, as one page that needs nothing else, and as data. No value is in it."""

from confsvc.writers.report.facts import Report, report_data, report_of
from confsvc.writers.report.page import page

__all__ = ["Report", "page", "report_data", "report_of"]
