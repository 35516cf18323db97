"""``kit19 export``: other programs get the model, its prompts and its ends as in training."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

import kit19
from kit19.chatting.chat import open_model
from kit19.exporting.pre_tokenizer import pre_tokenizer_name
from kit19.exporting.turn_texts import TurnTexts, find_turn_texts, go_template, jinja_template
from kit19.training.rows.prompts import make_prompts
from tests.support import llama_cpp, small_models
from tests.support.eval_models import make, tokenizer
from tests.support.invoking import invoke
from tests.support.small_models import write_rows

QUESTION = [{"role": "user", "content": "오늘 날씨는 어떤가요?"}]
TALK = [
    *QUESTION,
    {"role": "assistant", "content": "맑습니다."},
    {"role": "user", "content": "내일은요? 12시에 봐요 👍"},
]
RULE = [{"role": "system", "content": "친절하게 답하세요."}]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make(tmp_path_factory.mktemp("models") / "tiny", "llama", window=256)


@pytest.fixture(scope="module")
def adapter(model: Path) -> Path:
    import peft

    torch.manual_seed(3)
    config = peft.LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False)
    tuned = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(model), config)
    tuned.save_pretrained(model.parent / "tuned")
    AutoTokenizer.from_pretrained(model).save_pretrained(model.parent / "tuned")
    return model.parent / "tuned"


def pickled_shards(model: Path, folder: Path) -> Path:
    """The same model with its weights in two files of torch."""
    folder.mkdir()
    for path in model.glob("*.json"):
        shutil.copyfile(path, folder / path.name)
    weights = AutoModelForCausalLM.from_pretrained(model).state_dict()
    places = {name: f"pytorch_model-0000{n % 2 + 1}-of-00002.bin" for n, name in enumerate(weights)}
    for file in set(places.values()):
        part = {name: one.clone() for name, one in weights.items() if places[name] == file}
        torch.save(part, folder / file)
    index = {"metadata": {}, "weight_map": places}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return folder


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=torch.arange(40)[None]).logits


@pytest.mark.parametrize("form", ["alpaca", "koalpaca", "kullm"])
def test_a_folder_for_vllm_holds_the_model_and_the_prompts_of_training(
    model: Path, form: str, tmp_path: Path
) -> None:
    line: list[str | Path] = ["export", model, "--to", "vllm", "--format", form]
    line += ["--name", "m", "--json"]
    done = invoke(*line, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    out = tmp_path / "out"
    assert done.document["commands"][0].split()[:3] == ["vllm", "serve", str(out)]
    assert done.document["stop"] == ["\n\n###"]
    assert done.document == json.loads((out / "export.json").read_text("utf-8"))
    assert torch.equal(
        logits(AutoModelForCausalLM.from_pretrained(out)),
        logits(AutoModelForCausalLM.from_pretrained(model)),
    )
    words = AutoTokenizer.from_pretrained(out)
    prompts = make_prompts(
        AutoTokenizer.from_pretrained(model), kit19.load_catalog().prompt_format(form)
    )
    assert GenerationConfig.from_pretrained(out).eos_token_id[0] == prompts.end
    for turns in (QUESTION, TALK, [*RULE, *TALK]):
        text = words.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        ids = words(text, add_special_tokens=False)["input_ids"]
        assert [ids] == prompts.encode([prompts.conversation(turns)])
    again = invoke(*line, "--out", out)  # replaces its own folder
    assert again.code == 0, again.err


def test_weights_in_several_files_of_torch_are_copied_with_their_index(
    model: Path, tmp_path: Path
) -> None:
    exported = kit19.export(pickled_shards(model, tmp_path / "pickled"), "vllm", tmp_path / "out")
    assert "pytorch_model.bin.index.json" in exported.files
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert torch.equal(logits(found), logits(AutoModelForCausalLM.from_pretrained(model)))


def test_an_adapter_is_merged(adapter: Path, tmp_path: Path) -> None:
    import peft

    exported = kit19.export(adapter, "vllm", tmp_path / "out", format="koalpaca")
    assert "adapter_config.json" not in exported.files
    base = AutoModelForCausalLM.from_pretrained(adapter.parent / "tiny")
    before = logits(base)
    expected = logits(peft.PeftModel.from_pretrained(base, adapter))
    found = logits(AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32))
    assert torch.allclose(found, expected, atol=1e-4)
    assert not torch.allclose(found, before, atol=1e-2)
    hint = kit19.export(adapter, "mlx-hint")
    assert [line.split()[0] for line in hint.commands] == [
        "kit19",
        "mlx_lm.convert",
        "mlx_lm.server",
    ]
    assert hint.commands[0].split()[2] == str(adapter)


def test_what_cannot_be_exported_is_refused_and_nothing_is_written(
    model: Path, sample_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    build = invoke("export", sample_build, "--to", "vllm", "--out", out)
    assert (build.code, "is a build" in build.err) == (1, True)
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = invoke("export", model, "--to", "gguf", "--out", out)
    assert missing.code == 2
    assert "pip download --no-deps --no-binary llama-cpp-python" in missing.err
    nowhere = invoke("export", model, "--to", "gguf", "--out", out, "--converter", tmp_path / "no")
    assert (nowhere.code, "there is no convert_hf_to_gguf.py" in nowhere.err) == (2, True)
    assert invoke("export", model, "--to", "ollama").code == 2
    for text in ('말 """ 끝', 'say "yes"'):
        with pytest.raises(kit19.Kit19Error, match=r"system: .*ends a text of a Modelfile"):
            kit19.export(model, "ollama", out, system=text)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    foreign = invoke("export", model, "--to", "vllm", "--out", tmp_path / "mine")
    assert (foreign.code, "holds files that kit19 did not write" in foreign.err) == (1, True)
    assert not out.exists()


def test_a_shape_that_llama_cpp_cannot_rotate_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    pytest.importorskip("sentencepiece")
    odd = make(tmp_path / "odd", "neox")  # a quarter of 12 values of a head
    script = script_of(tmp_path, "raise SystemExit(1)")
    with pytest.raises(kit19.ModelError, match="rotates 3 of the 12 values of a head"):
        kit19.export(odd, "gguf", tmp_path / "out", converter=script)
    assert not (tmp_path / "out").exists()


def script_of(folder: Path, text: str) -> Path:
    path = folder / "convert_hf_to_gguf.py"
    path.write_text(text, encoding="utf-8")
    return path


# Without transformers, which takes longer to load than all the rest.
VOCABULARY = """
import argparse, json, sys
from pathlib import Path
from gguf import GGUFWriter
from tokenizers import Tokenizer

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--outfile")
    parser.add_argument("--outtype")
    parser.add_argument("--vocab-only", action="store_true")
    given = parser.parse_args()
    words = Tokenizer.from_file(str(given.model / "tokenizer.json"))
    tokens = [words.id_to_token(number) for number in range(words.get_vocab_size())]
    config = json.loads((given.model / "tokenizer_config.json").read_text("utf-8"))
    writer = GGUFWriter(given.outfile, "llama")
    template = (given.model / "chat_template.jinja").read_text("utf-8")
    end = words.token_to_id(config["eos_token"])
    CHANGE
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_eos_token_id(end)
    writer.add_chat_template(template)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("sys.exit('no such architecture')", "cannot convert it: no such architecture"),
        ("tokens[300] = 'x' * 9", "token 300 is 'xxxxxxxxx'"),
        ("end = 7", "answers end at token 7"),
        ("template += ' '", "the chat template is not that of the model"),
        ("writer.add_add_bos_token(True)", "a first token is put before texts"),
    ],
)
def test_a_file_that_is_not_the_model_is_refused_before_weights_are_read(
    model: Path, change: str, says: str, tmp_path: Path
) -> None:
    pytest.importorskip("gguf")
    pytest.importorskip("sentencepiece")
    script = script_of(tmp_path, VOCABULARY.replace("CHANGE", change))
    seen: list[str] = []
    options: Any = {"format": "koalpaca", "converter": script}
    options["on_progress"] = lambda what, _done, _total: seen.append(what)
    with pytest.raises(kit19.ModelError, match=says):
        kit19.export(model, "gguf", tmp_path / "out", **options)
    assert seen == ["checking the vocabulary"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("change", ["", "scaled", "missing"])
def test_weights_are_compared_with_the_model_s(
    model: Path, change: str, pickled: bool, tmp_path: Path
) -> None:
    gguf = pytest.importorskip("gguf")
    from kit19.exporting.gguf_check import check_weights

    if pickled:
        model = pickled_shards(model, tmp_path / "pickled")
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_block_count(2)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    for name, weight in AutoModelForCausalLM.from_pretrained(model).state_dict().items():
        if "k_proj" in name and change == "missing":
            continue
        rows = weight.numpy()[::-1].copy()  # in another order
        factor = 1.1 if "layers.1.mlp.up" in name and change == "scaled" else 1.0
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), rows * factor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    problems = " ".join(problem.what for problem in check_weights(tmp_path / "m.gguf", model))
    expected = {"": "", "scaled": "blk.1.ffn_up.weight is not", "missing": "weights, the model"}
    assert expected[change] in problems
    assert bool(problems) == bool(change)


needs_llama_cpp = pytest.mark.skipif(
    not (llama_cpp.converter() and llama_cpp.can_answer()), reason="`make llama-cpp` was not run"
)


@needs_llama_cpp
@pytest.mark.parametrize("family", ["llama with a first token", "a run of a new GPT-NeoX"])
def test_llama_cpp_answers_as_chat_does(family: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    folder = tmp_path / "m"
    if family.startswith("llama"):
        make(folder, "llama", "bos", window=256)
    else:  # as the demo trains one
        rows = write_rows(tmp_path / "rows.jsonl", small_models.rows())
        how = small_models.settings(max_steps=30, validation=0, max_length=256)
        kit19.train(rows, folder, how, cache=tmp_path / "cache")
    archive = llama_cpp.converter()
    assert archive is not None
    options: Any = {"format": "koalpaca", "converter": archive, "out_type": "f32"}
    exported = kit19.export(folder, "gguf", tmp_path / "out", **options)
    assert exported.files == ["m.gguf"]
    answering, _ = open_model(folder, "koalpaca", None, trust_remote_code=False)
    prompts = answering.prompts
    texts = [prompts.unmark(prompts.conversation(turns)) for turns in (QUESTION, TALK)]
    for text, found in zip(
        texts, llama_cpp.answers(tmp_path / "out" / "m.gguf", texts, 24), strict=True
    ):
        [ids] = prompts.encode([text])
        assert found["ids"] == ids
        expected = "".join(answering.generate(ids, max_new_tokens=24))
        answer = prompts.tokenizer.decode(found["answer"], skip_special_tokens=True)
        assert answer.removeprefix(" ").partition("\n\n###")[0].rstrip("\ufffd") == expected


def test_pre_tokenizers_are_known_by_what_they_do() -> None:
    assert pre_tokenizer_name(tokenizer("plain")) == "gpt-2"
    assert pre_tokenizer_name(tokenizer("merging")) == ""
    from tokenizers import Regex, normalizers, pre_tokenizers

    from kit19.exporting.pre_tokenizer import _EXPRESSIONS

    own = tokenizer("plain")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for expression, name in _EXPRESSIONS.items():
        split = pre_tokenizers.Split(Regex(expression), "isolated")
        own.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
        assert pre_tokenizer_name(own) == name
    own.backend_tokenizer.pre_tokenizer = byte_level
    assert pre_tokenizer_name(own) == ""
    own = tokenizer("plain")
    own.backend_tokenizer.normalizer = normalizers.NFD()
    assert pre_tokenizer_name(own) == ""


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\ue000\ue001\ue002"), min_size=1)


@given(contents=st.lists(TEXT.filter(str.strip), min_size=1, max_size=5), system=TEXT | st.just(""))
def test_what_is_around_turns_does_not_depend_on_them(contents: list[str], system: str) -> None:
    prompts = PROMPTS
    turns = [
        {"role": "assistant" if number % 2 else "user", "content": text}
        for number, text in enumerate(contents[: len(contents) - 1 + len(contents) % 2])
    ]
    turns = [*([{"role": "system", "content": system}] if system else []), *turns]
    assert find_turn_texts(prompts).write(turns) == prompts.unmark(prompts.conversation(turns))


PROMPTS = make_prompts(tokenizer("plain"), kit19.load_catalog().prompt_format("kullm"))


def test_a_chat_template_that_is_not_regular_is_refused(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "odd")
    words = AutoTokenizer.from_pretrained(folder)
    words.chat_template = (
        "{% for m in messages %}{{ m.role[0] * (messages | length) }}:{{ m.content }}<|end|>"
        "{% endfor %}"
        "{% if add_generation_prompt %}a:{% endif %}"
    )
    words.save_pretrained(folder)
    odd = invoke("export", folder, "--to", "vllm", "--out", tmp_path / "out")
    assert odd.code == 1
    assert "its chat template is not regular" in odd.err


GO = """package main
import ("encoding/json"; "os"; "text/template")
type Message struct { Role string; Content string }
type Given struct { System string; Messages []Message }
func main() {
    var given []struct { Template string; Values Given }
    json.NewDecoder(os.Stdin).Decode(&given)
    for _, one := range given {
        t := template.Must(template.New("").Parse(one.Template))
        if err := t.Execute(os.Stdout, one.Values); err != nil { panic(err) }
        os.Stdout.WriteString("\\x00")
    }
}
"""


@pytest.mark.skipif(not shutil.which("go"), reason="no Go here, whose templates Ollama fills")
def test_go_fills_the_template_of_a_modelfile_with_the_prompts_of_training(tmp_path: Path) -> None:
    texts = [find_turn_texts(PROMPTS), TurnTexts("{{<s>", None, '"a\n', "`b\\", "\t}}")]
    cases = [
        (one, turns)
        for one in texts
        for turns in (QUESTION, TALK, [*RULE, *TALK][: 4 if one.system else 0])
    ]
    cases = [(one, turns) for one, turns in cases if turns]
    greeting = [{"role": "assistant", "content": "안녕하세요!"}]
    given_ = []
    for one, turns in cases:
        system = turns[0]["content"] if turns[0]["role"] == "system" else ""
        spoken = turns[1:] if system else turns
        messages = [{"Role": m["role"], "Content": m["content"]} for m in [*greeting, *spoken]]
        values = {"System": system, "Messages": messages}
        given_.append({"Template": go_template(one), "Values": values})
    (tmp_path / "main.go").write_text(GO, encoding="utf-8")
    done = subprocess.run(
        ["go", "run", "main.go"],
        input=json.dumps(given_).encode(),
        capture_output=True,
        cwd=tmp_path,
        check=True,
    )
    written = done.stdout.decode().split("\x00")[:-1]
    assert written == [one.write(turns) for one, turns in cases]


def test_a_modelfile_has_the_prompt_format_stops_and_a_greeting(
    model: Path, tmp_path: Path
) -> None:
    gguf = pytest.importorskip("gguf")
    from kit19.exporting.ollama import GREETING, modelfile
    from kit19.exporting.source import find_source

    source = find_source(model, "koalpaca", None, name="", trust=False)
    file = tmp_path / "tiny.gguf"
    writer = gguf.GGUFWriter(file, "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    text = modelfile(source, file, greeting=GREETING, system="")
    lines = text.splitlines()
    assert "FROM ./tiny.gguf" in lines
    assert 'PARAMETER stop """\n\n###"""' in text
    settings = {"PARAMETER temperature 0", "PARAMETER repeat_penalty 1", "PARAMETER num_ctx 256"}
    assert settings <= set(lines)
    assert f'MESSAGE assistant """{GREETING}"""' in lines
    assert f'TEMPLATE """{go_template(source.texts)}"""' in lines
    assert not [line for line in lines if line.startswith("SYSTEM")]
    named = modelfile(source, file, greeting="", system="짧게 답하세요.")
    assert 'SYSTEM """짧게 답하세요."""' in named
    assert "MESSAGE" not in named


def test_text_before_every_answer_is_in_the_template() -> None:
    """As Qwen3 writes an empty block of reasoning, which its generation prompt does not."""
    words = tokenizer("plain")
    words.chat_template = (
        "{% for m in messages %}{{ m.role }}:{% if loop.last and m.role == 'assistant' %}<t></t>"
        "{% endif %}{{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    prompts = make_prompts(words, kit19.load_catalog().prompt_format("chat"))
    assert prompts.head == "<t></t>"
    template = jinja_template(prompts)
    for turns in (QUESTION, TALK, [*RULE, *TALK]):
        text = words.apply_chat_template(turns, chat_template=template, tokenize=False)
        assert text == prompts.unmark(prompts.conversation(turns))
