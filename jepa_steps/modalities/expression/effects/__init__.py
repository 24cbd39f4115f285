"""Predicted effects of held-out perturbations, by the model and by every method without one; metrics,
ceiling and verdicts, which work on arrays of mean expression (pseudobulk), one row per perturbation."""
