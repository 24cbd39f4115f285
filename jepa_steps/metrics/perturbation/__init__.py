"""Evaluation of predicted perturbation effects: metrics, baselines, ceiling, verdicts, export.

All of it works on arrays. Profiles are mean expression (pseudobulk), one row a perturbation.
"""
