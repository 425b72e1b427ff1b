"""The people's side: the desk of agents."""
