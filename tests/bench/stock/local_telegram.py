"""Rasa's own Telegram channel, unchanged but for the address of the Bot API server and one mended line.

As published it sets its webhook in an event loop that it then closes, and keeps the connection of that loop: every
update is answered 500, "Event loop is closed". Here it opens a new one, so that there is something to compare with.
"""

# mypy: ignore-errors

import asyncio

from aiogram.bot.api import TelegramAPIServer
from rasa.core.channels.telegram import TelegramInput, TelegramOutput


class LocalTelegram(TelegramInput):
    @classmethod
    def from_credentials(cls, credentials):
        channel = super().from_credentials(credentials)
        channel.api_base = credentials["api_base"]
        return channel

    def get_output_channel(self):
        channel = TelegramOutput(self.access_token)
        channel.server = TelegramAPIServer.from_base(self.api_base)
        asyncio.run(channel.set_webhook(url=self.webhook_url))
        channel._session = None
        return channel
