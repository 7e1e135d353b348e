"""Benchmarks of convops against the packages that do the same job: ``python -m benchmarks`` in the repository's root.

`grid` says what is measured, `registry` against whom, `measure` how, `summary` which figures come out, `report` and
`plots` how they are shown. Nothing here is part of the installed package.
"""
