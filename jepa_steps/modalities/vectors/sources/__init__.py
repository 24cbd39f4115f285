"""Readers of files of embeddings and of tables."""
