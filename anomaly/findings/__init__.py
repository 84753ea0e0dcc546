"""What a person sees: findings, their merging, suppression, allowed moves and risk. Pure."""
