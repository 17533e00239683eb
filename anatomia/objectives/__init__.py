"""What the loop can be asked to learn: the next token, people's preferences, a better policy."""
