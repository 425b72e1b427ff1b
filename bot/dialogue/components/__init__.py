"""Rasa graph components of ours; only `intents.py` and `entities.py` import Rasa, the rest is plain Python."""
