"""How fast nanogan is: against the limit, and against what a user would otherwise pick."""
