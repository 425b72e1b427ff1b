"""From a complaint to a resolved ticket."""
