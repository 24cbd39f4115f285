"""From recordings to the prepared store."""
