"""A conversation: who is talking, who answers."""

import os

# places are compared by the sounds of single characters; the phrases (45 MB) are read in `triage.desk.initials` alone
os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
