"""Pictures for the shell and the documentation."""

from convops.plotting.before_after import side_by_side

__all__ = ["side_by_side"]
