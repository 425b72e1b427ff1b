"""A conversation: who is talking, who answers."""
