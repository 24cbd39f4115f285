"""From videos to the prepared store, step by step."""
