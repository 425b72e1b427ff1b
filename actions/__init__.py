"""What the dialogue may ask us to do, and the facts its answers stand on."""
