"""Embeddings that were made elsewhere: a row per sample, with a table of what each sample is."""
