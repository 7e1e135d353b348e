"""Floor 1: linear maps between N-D arrays, built from a kernel and a shape."""
