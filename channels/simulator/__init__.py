"""Platforms in a box: a WeChat and a Telegram server with a phone-like page each, and faults as switches."""
