"""Writing settings: where each one goes, what would change there, and changing it so that no other writer loses."""

from confsvc.writing.applying import Written, apply_changes
from confsvc.writing.changes import Changes, Refused, Row, check_name, plan_changes

__all__ = ["Changes", "Refused", "Row", "Written", "apply_changes", "check_name", "plan_changes"]
