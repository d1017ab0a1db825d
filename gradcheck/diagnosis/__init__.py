"""From a comparison to what is told of it: findings, their scripts, and the numbers behind their pictures."""
