"""Find the model to evaluate, and check it before it is loaded."""

from __future__ import annotations

from kit19.core.errors import ModelError, Problem
from kit19.training.model.finding import add_adapter, find_complete_model, find_model
from kit19.training.model.reference import ModelRef, has_tokenizer


def find_scored_model(
    model: str,
    revision: str | None = None,
    adapter: str | None = None,
    *,
    allow_pickle: bool = False,
) -> ModelRef:
    """Find a model in a folder or on the Hub; Hub models are downloaded into the Hub's cache.

    Args:
        model: Folder or Hub id, as for ``find_model``.
        revision: Commit, tag or branch on the Hub.
        adapter: Folder or Hub id of a PEFT adapter to load on the model.
        allow_pickle: Accept weights in torch's pickle format too; loading them may run code.

    Raises:
        ModelError: The model does not exist, or is incomplete.
    """
    if adapter is None:
        found = find_model(model, revision or "", error=ModelError)
    else:
        complete = find_complete_model(model, revision or "", error=ModelError)
        found = add_adapter(complete, adapter)
    if not has_tokenizer(found.tokenizer):
        fix = "copy the tokenizer's files into it (such as tokenizer.json)"
        raise ModelError(Problem("has no tokenizer", found.source, fix))
    for one in {id(found): found, id(found.complete): found.complete}.values():
        one.weight_files(allow_pickle=allow_pickle)
    return found
