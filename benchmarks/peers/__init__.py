"""What is timed of each peer: one module a package, a function of a problem that returns a function without arguments.

The modules import their packages, and nothing but the registry imports the modules.
"""
