"""What the dialogue may ask us to do, and the facts its answers stand on."""

import os

os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")  # only single characters are asked for; saves 45 MB
