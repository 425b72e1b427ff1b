"""Rasa's intent classifier of ours: a linear model over characters and sounds, with calibrated confidence."""

from __future__ import annotations

import pickle
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from rasa.shared.utils.common import class_from_module_path

from bot.dialogue.components.entities import annotated
from bot.dialogue.components.linear import Encode, Linear
from bot.dialogue.components.text import Lexicon, normal

MODEL, LISTS = "intents.pickle", "lookups"
RANKED = 10


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class Intents(GraphComponent, IntentClassifier):
    """Sets `intent` and `intent_ranking`; needs the entities, which it keeps out of the words."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`seed` makes training repeatable; `penalty` is the C of the linear model.

        `encoder` may name a class (`models.encoder.Encoder`) whose `encode` makes sentence vectors.
        """
        return {"seed": 2026, "penalty": 1.0, "encoder": None}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> Intents:
        """A classifier that is yet to be trained."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> Intents:
        """A trained classifier."""
        one = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            one._model = pickle.loads((folder / MODEL).read_bytes())
            one._model.lexicon = Lexicon(folder / LISTS)
        one._model.encode = one._encode()
        one._model.rank("你好", [])  # reads the dictionaries now, not while the first customer waits
        return one

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        """Use `create` or `load`."""
        self._config, self._storage, self._resource = config, model_storage, resource
        self._model: Linear | None = None

    def _encode(self) -> Encode | None:
        name = self._config["encoder"]
        return class_from_module_path(name)().encode if name else None

    def train(self, training_data: TrainingData) -> Resource:
        """Learn from every example that has an intent."""
        lexicon = Lexicon()
        examples = [m for m in training_data.intent_examples if m.get(TEXT)]
        self._model = Linear.train(
            [(normal(m.get(TEXT)), annotated(m)) for m in examples],
            [m.get(INTENT) for m in examples],
            self._config["penalty"],
            self._config["seed"],
            self._encode(),
            lexicon,
        )
        with self._storage.write_to(self._resource) as folder:
            (folder / MODEL).write_bytes(pickle.dumps(self._model))
            lexicon.save(folder / LISTS)
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Rank the intents of each message."""
        for message in messages:
            if self._model is None or not message.get(TEXT):
                continue
            ranked = self._model.rank(normal(message.get(TEXT)), annotated(message))[:RANKED]
            ranking = [{"name": name, "confidence": confidence} for name, confidence in ranked]
            message.set(INTENT, ranking[0], add_to_output=True)
            message.set("intent_ranking", ranking, add_to_output=True)
        return messages
