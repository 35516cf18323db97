"""Models behind an OpenAI-compatible API, scored through the harness's own API models.

``local-completions`` computes log-likelihoods (``echo`` with ``logprobs``) and continues raw prompts,
``local-chat-completions`` answers conversations in the server's chat template. What is added here: the
token ids of local evaluations, a check before the first request that the server gives log-likelihoods
and has the same tokenizer, and errors that say what a server cannot do.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lm_eval.api.model import LM
from lm_eval.models.api_models import JsonChatStr
from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI
from lm_eval.models.utils import has_bos_prefix

from kit19.calling.client import Client, RefusedError
from kit19.calling.endpoint import Endpoint
from kit19.core.errors import Kit19Error, ModelError, Problem
from kit19.evaluating.checked import Truncation
from kit19.evaluating.failures import type_and_message
from kit19.evaluating.finite import require_finite
from kit19.evaluating.formats import PromptEncoder
from kit19.evaluating.tokens import encode_pairs

Scores = list[tuple[float, bool]]

WINDOW = 2048
"""The context length of a model whose server and tokenizer state none."""
_MAX_WINDOW = 10_000_000  # tokenizers state huge numbers for none
_PROBE = "The capital of Korea is Seoul. 1 + 1 = 2."
_CHUNK = 256
_NO_LOGPROBS = (
    "score it through vLLM or `kit19 serve`, or evaluate tasks with generated answers "
    "(--format chat)"
)


class _Requests:
    """Requests of the harness whose errors are raised once, and not printed as well.

    asyncio prints errors that nobody awaits, as the other requests have them after the first error,
    with the headers of their requests, and so the key.
    """

    async def get_batched_requests(self, *arguments: Any, **options: Any) -> Any:
        """Send requests at once; called by the harness in a loop of its own."""
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        return await super().get_batched_requests(*arguments, **options)  # type: ignore[misc]


class _Talks(_Requests, LocalChatCompletion):  # type: ignore[misc]
    """The harness's chat model."""


class _Completions(_Requests, LocalCompletionsAPI):  # type: ignore[misc]
    """The harness's completions model, with the token ids of its transformers model.

    Attributes:
        encoder: Renders and encodes the prompts of a prompt format; None without one.
    """

    encoder: PromptEncoder | None = None

    def tok_encode(
        self,
        string: Any,
        left_truncate_len: int | None = None,
        add_special_tokens: bool | None = None,
        truncation: bool = False,  # noqa: ARG002  the harness's signature
        **_: Any,
    ) -> Any:
        """Encode a text, or several, as HFLM does."""
        if not isinstance(string, str):
            return [self.tok_encode(one, left_truncate_len, add_special_tokens) for one in string]
        if self.encoder and self.encoder.is_rendered(string):
            ids = self.encoder.encode_prompt(string)
        else:
            beginning = self.tokenizer.decode(self.prefix_token_id)
            if add_special_tokens is None and has_bos_prefix(string, beginning):
                add_special_tokens = False
            special = (
                {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
            )
            ids = self.tokenizer(string, **special)["input_ids"]
        return ids[-left_truncate_len:] if left_truncate_len else ids


class ServedLM(LM):  # type: ignore[misc]
    """A model of the harness that a server runs.

    Args:
        endpoint: The server and the model's name there.
        tokenizer: The model's tokenizer, of transformers; None if no task needs its tokens.
        window: The context length in tokens.
        batch_size: Prompts in a request.
        concurrency: Requests at once.

    Attributes:
        tokenizer: See above.
        max_length: The context length in tokens.
        truncations: Truncated requests, filled while scoring.
        fallbacks: Empty: nothing replaces a server.
        fallback: Likewise.
        prompts_without_system: 0: a server's template is not known.
        ends: Empty: a server's reasons are not stored.
        on_progress: Called with the number of finished requests and of all requests.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tokenizer: Any,
        *,
        window: int,
        batch_size: int = 1,
        concurrency: int = 1,
    ) -> None:
        super().__init__()
        self.endpoint, self.tokenizer, self.max_length = endpoint, tokenizer, window
        self.truncations: list[Truncation] = []
        self.fallbacks: dict[str, str] = {}
        self.fallback = ""
        self.prompts_without_system = 0
        self.ends: dict[tuple[str, int], str] = {}
        self.on_progress: Callable[[int, int], None] = lambda _done, _total: None
        self._done, self._total = 0, 0
        given: dict[str, Any] = {
            "model": endpoint.model,
            "header": endpoint.headers(),
            "num_concurrent": concurrency,
            "max_length": window,
        }
        url = endpoint.base_url
        self._completions: _Completions | None = None
        if tokenizer is not None:
            # Without a backend it loads no tokenizer; ours is set below.
            self._completions = _Completions(
                base_url=f"{url}/completions",
                tokenizer_backend=None,
                batch_size=batch_size,
                **given,
            )
            self._completions.tokenizer = tokenizer
            self._completions.tokenizer_backend = "huggingface"
            self._completions.tokenized_requests = True
            self._completions.add_bos_token = None
        self._talks = _Talks(base_url=f"{url}/chat/completions", **given)

    @property
    def tokenizer_name(self) -> str:
        """The name of the tokenizer, for the harness."""
        return str(getattr(self.tokenizer, "name_or_path", ""))

    def chat_template(self, chat_template: bool | str = False) -> str:  # noqa: ARG002
        """The local chat template; empty without a tokenizer."""
        return str(getattr(self.tokenizer, "chat_template", None) or "")

    def use_prompts(self, encoder: PromptEncoder) -> None:
        """Use the prompts of a prompt format, for log-likelihoods and generated answers."""
        completions = self._require_completions("a prompt format")
        completions.encoder = encoder

    def apply_chat_template(
        self, chat_history: Sequence[dict[str, Any]], add_generation_prompt: bool = True
    ) -> Any:
        """Turns as the prompt of a format, or as JSON, which is rendered when it is sent."""
        if self._completions and self._completions.encoder:
            return self._completions.encoder.render(chat_history, add_generation_prompt)
        document = {"turns": list(chat_history), "open": add_generation_prompt}
        return JsonChatStr(json.dumps(document, ensure_ascii=False))

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> Scores:
        """Log-likelihoods, in the order of the requests.

        Raises:
            ModelError: The server gives none.
        """
        completions = self._require_completions("log-likelihoods")
        for request in requests:
            if isinstance(request.args[0], JsonChatStr):
                request.arguments = (self._render(request.args[0]), *request.args[1:])
        encoded = self._encode(completions, [request.args for request in requests])
        scores: Scores = []
        self._done, self._total = 0, len(requests)
        for start in range(0, len(requests), _CHUNK):
            chunk = requests[start : start + _CHUNK]
            pairs = encoded[start : start + _CHUNK]
            for request, (context, rest) in zip(chunk, pairs, strict=True):
                self._record_truncation(request, len(context) + len(rest))
            triples = [(request.args, *pair) for request, pair in zip(chunk, pairs, strict=True)]
            found = self._call(
                completions._loglikelihood_tokens, chunk, triples, disable_tqdm=disable_tqdm
            )
            for request, (value, _) in zip(chunk, found, strict=True):
                require_finite(value, request)
            scores += found
            self._advance(len(chunk))
        return scores

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-likelihoods of complete texts."""
        completions = self._require_completions("log-likelihoods")
        found: list[float] = self._call(
            completions.loglikelihood_rolling, requests, requests, disable_tqdm=disable_tqdm
        )
        return found

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Generated answers: of the chat API for conversations, else of the completions API."""
        texts: list[str] = []
        self._done, self._total = 0, len(requests)
        for start in range(0, len(requests), _CHUNK):
            chunk = requests[start : start + _CHUNK]
            if isinstance(chunk[0].args[0], JsonChatStr):
                model: Any = self._talks
                for request in chunk:
                    request.arguments = (_messages(request), *request.args[1:])
            else:
                model = self._require_completions("the completions API")
            found = self._call(model.generate_until, chunk, chunk, disable_tqdm=disable_tqdm)
            texts += map(self._finish, chunk, found)
            self._advance(len(chunk))
        return texts

    def _finish(self, request: Any, text: str) -> str:
        """A generated text up to its stop texts: servers take four of them at most."""
        encoder = self._completions.encoder if self._completions else None
        text = encoder.strip_answer_prefix(text) if encoder else text
        until = request.args[1].get("until") or []
        for stop in [until] if isinstance(until, str) else until:
            text = text.partition(stop)[0] if stop else text
        return text

    def _encode(
        self, completions: _Completions, pairs: Sequence[tuple[str, str]]
    ) -> list[tuple[list[int], list[int]]]:
        encoder = completions.encoder
        if encoder is None:
            return encode_pairs(completions, pairs)
        rendered = [pair for pair in pairs if encoder.is_rendered(pair[0])]
        others = [pair for pair in pairs if not encoder.is_rendered(pair[0])]
        by_pair = dict(zip(rendered, encoder.encode_pairs(rendered), strict=True))
        by_pair |= zip(others, encode_pairs(completions, others), strict=True)
        return [by_pair[pair] for pair in pairs]

    def _render(self, conversation: JsonChatStr) -> str:
        document = json.loads(conversation.prompt)
        text: str = self.tokenizer.apply_chat_template(
            document["turns"],
            tokenize=False,
            add_generation_prompt=document["open"],
            continue_final_message=not document["open"],
        )
        return text

    def _record_truncation(self, request: Any, tokens: int) -> None:
        # A server counts the token after the prompt too, so one token less fits than in HFLM.
        over = tokens - (self.max_length - 1)
        if over > 0:
            self.truncations.append(Truncation(request.task_name or "", request.doc_id or 0, over))

    def _advance(self, requests: int) -> None:
        self._done += requests
        self.on_progress(self._done, self._total)

    def _require_completions(self, what: str) -> _Completions:
        if self._completions is None:
            fix = "name the model's tokenizer: --tokenizer FOLDER or owner/name"
            raise ModelError(Problem(f"{what} needs the model's tokenizer", fix=fix))
        return self._completions

    def _call(self, function: Any, chunk: Sequence[Any], *arguments: Any, **options: Any) -> Any:
        """Call the harness's model; its errors become a ``ModelError``."""
        try:
            with _silent_harness():
                return function(*arguments, **options)
        except Kit19Error:
            raise
        except Exception as error:
            task = chunk[0].task_name or ""
            what = f"{self.endpoint.base_url} does not answer: {type_and_message(error)}"
            raise ModelError(Problem(what, task, "start again when the server does")) from None


@contextmanager
def _silent_harness() -> Iterator[None]:
    """Without the harness's messages about requests: they quote the headers, and so the key."""
    logger = logging.getLogger("lm_eval.models.api_models")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _messages(request: Any) -> JsonChatStr:
    """The messages of a conversation, as the harness's chat model takes them.

    Raises:
        ModelError: The last message is the beginning of an answer.
    """
    document = json.loads(request.args[0].prompt)
    if isinstance(document, list):  # of an earlier turn of the same request
        return JsonChatStr(request.args[0].prompt)
    if not document["open"]:
        what = "begins the model's answer, which the chat API cannot continue"
        fix = "use --format raw or instruction for this task"
        raise ModelError(Problem(what, request.task_name or "", fix))
    return JsonChatStr(json.dumps(document["turns"], ensure_ascii=False))


def find_window(client: Client, tokenizer: Any) -> int:
    """The context length that the server states for the model, else the tokenizer, else ``WINDOW``.

    Raises:
        ModelError: The server cannot be reached, or has no such model.
    """
    try:
        listed = client.get("/models")
    except RefusedError as error:
        if error.status == 401:
            raise
        listed = {}  # not every server lists its models
    entries = listed.get("data") if isinstance(listed, dict) else None
    models = {one.get("id"): one for one in entries or [] if isinstance(one, dict)}
    name = client.endpoint.model
    if models and name not in models:
        known = ", ".join(map(str, list(models)[:10]))
        what = f"has no model {name!r}"
        raise ModelError(Problem(what, client.endpoint.base_url, f"it has {known}"))
    stated = models.get(name, {}).get("max_model_len")
    own = getattr(tokenizer, "model_max_length", None)
    for length in (stated, own):
        if isinstance(length, int) and 1 < length < _MAX_WINDOW:
            return length
    return WINDOW


def require_logprobs(client: Client, tokenizer: Any) -> None:
    """Check that a server gives the log-likelihoods of the tokens of a prompt.

    Raises:
        ModelError: It does not, or its tokenizer is another one.
    """
    ids = tokenizer(_PROBE)["input_ids"]
    body = {
        "model": client.endpoint.model,
        "prompt": [ids],
        "max_tokens": 1,
        "temperature": 0,
        "echo": True,
        "logprobs": 1,
    }
    where = client.endpoint.base_url
    try:
        answer = client.post("/completions", body)
    except RefusedError as error:
        what = f"gives no log-likelihoods of prompts: {error.reason}"
        raise ModelError(Problem(what, where, _NO_LOGPROBS)) from None
    try:
        stated = answer["choices"][0]["logprobs"]
        values, texts = stated["token_logprobs"], stated["tokens"]
        tops = stated["top_logprobs"]
    except (KeyError, IndexError, TypeError):
        values, texts, tops = [], [], []
    if not values or not tops or len(values) <= 1:
        what = "gives no log-likelihoods of prompts: the answer has none for the prompt's tokens"
        raise ModelError(Problem(what, where, _NO_LOGPROBS))
    same = len(values) == len(ids) + 1 and _letters("".join(texts[:-1])).endswith(_letters(_PROBE))
    if not same or not all(isinstance(one, float) and math.isfinite(one) for one in values[1:]):
        what = f"tokenizes otherwise: {len(values) - 1} tokens for {len(ids)} of the tokenizer"
        fix = "name the model's own tokenizer: --tokenizer FOLDER or owner/name"
        raise ModelError(Problem(what, where, fix))


def _letters(text: str) -> str:
    """Letters and digits only: servers show spaces of tokens in different ways."""
    return "".join(filter(str.isalnum, text))
