"""The conformance suites: what every operator and every penalty must do, runnable on anyone's own."""

from .operators import Report as Report
from .operators import check_operator as check_operator
from .penalties import PenaltyReport as PenaltyReport
from .penalties import check_penalty as check_penalty
