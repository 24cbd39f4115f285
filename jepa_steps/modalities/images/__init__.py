"""Images: from files to a memory-mapped store, hidden blocks of patches, what is told of them."""
