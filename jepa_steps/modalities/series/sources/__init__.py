"""Where recordings come from: one module per format."""
