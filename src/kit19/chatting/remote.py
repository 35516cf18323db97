"""A model behind an OpenAI-compatible API, to chat with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kit19.calling.client import Client
from kit19.core.errors import ModelError, Problem


@dataclass(frozen=True)
class RemoteModel:
    """A model that a server runs, in a prompt format that the server chooses.

    Attributes:
        client: The connection.
    """

    client: Client

    def stream(
        self, turns: Sequence[dict[str, str]], *, max_new_tokens: int, temperature: float = 0.0
    ) -> Iterator[str]:
        """Stream the answer to the last turn; the arguments are those of ``ChatModel.stream``.

        Raises:
            ModelError: The server does not answer, or refuses the request.
        """
        body = {
            "model": self.client.endpoint.model,
            "messages": list(turns),
            "max_tokens": max_new_tokens,
            "temperature": temperature,
        }
        for event in self.client.stream("/chat/completions", body):
            try:
                choices = event["choices"]
                text = choices[0]["delta"].get("content") if choices else None
            except (KeyError, IndexError, TypeError, AttributeError):
                what = "answers with something else than a streamed chat completion"
                raise ModelError(Problem(what, self.client.endpoint.base_url)) from None
            if text:
                yield str(text)
