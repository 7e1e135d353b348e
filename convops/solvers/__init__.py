"""Floor 3: one function a method, all on the driver of `iterate`."""
