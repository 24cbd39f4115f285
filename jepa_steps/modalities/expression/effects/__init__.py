"""What a predictor says of held-out perturbations, and what is said without it."""
