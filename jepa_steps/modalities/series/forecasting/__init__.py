"""Forecasts from embeddings, beside forecasts without an encoder."""
