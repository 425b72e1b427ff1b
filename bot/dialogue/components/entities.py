"""Rasa's entity extractor of ours: forms by pattern, places by a trained model."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.dialogue.components import patterns, places
from bot.dialogue.components.patterns import Found
from bot.dialogue.components.text import Lexicon, normal

MODEL, LISTS = "places.crf", "lookups"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=True)
class Entities(GraphComponent, EntityExtractorMixin):
    """Adds the entities of `nlu_data.ENTITIES`; `value` is what the customer wrote."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`seed` makes training repeatable."""
        return {"seed": 2026}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> Entities:
        """An extractor that is yet to be trained."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> Entities:
        """A trained extractor."""
        one = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            one._places = places.Places(folder / MODEL, Lexicon(folder / LISTS))
        one._places.find("你好", [])  # reads the dictionaries now, not while the first customer waits
        return one

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        """Use `create` or `load`."""
        self._config, self._storage, self._resource = config, model_storage, resource
        self._places: places.Places | None = None

    def train(self, training_data: TrainingData) -> Resource:
        """Learn areas and cities; everything else is by pattern."""
        sentences = [(normal(m.get(TEXT)), annotated(m)) for m in training_data.nlu_examples if m.get(TEXT)]
        lexicon = Lexicon()
        with self._storage.write_to(self._resource) as folder:
            places.train(sentences, folder / MODEL, self._config["seed"], lexicon)
            lexicon.save(folder / LISTS)
            self._places = places.Places(folder / MODEL, lexicon)
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Add entities to each message."""
        for message in messages:
            written = message.get(TEXT) or ""
            text = normal(written)
            found = patterns.find(text)
            if self._places is not None:
                found = sorted([*found, *self._places.find(text, found)], key=lambda one: one.start)
            entities = [
                {"entity": one.entity, "start": one.start, "end": one.end, "value": written[one.start : one.end]}
                for one in found
            ]
            message.set(ENTITIES, message.get(ENTITIES, []) + self.add_extractor_name(entities), add_to_output=True)
        return messages


def annotated(message: Message) -> list[Found]:
    """The entities that a message carries."""
    return [Found(one["start"], one["end"], one["entity"]) for one in message.get(ENTITIES, [])]
