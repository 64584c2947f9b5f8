"""Which model files there are, and under which names LM Studio would list them."""

from __future__ import annotations

import json
import shutil

import pytest
from kit.tiny_gguf import write_model

from runner.edges.embedded.model_files import all_models, find_model, models_folder
from runner.words.errors import LLMResponseError, ModelNotFoundError

Q4, Q8 = 15, 7


@pytest.fixture
def home(tmp_path):
    """A home whose models folder holds one model alone, two that share a repository, and what goes with models."""
    models = tmp_path / ".lmstudio/models"
    for place, quantization in {
        "lmstudio-community/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf": Q4,
        "unsloth/Devstral-Small-GGUF/Devstral-Small-Q4_K_M.gguf": Q4,
        "unsloth/Devstral-Small-GGUF/Devstral-Small-Q8_0.gguf": Q8,
    }.items():
        path = models / place
        path.parent.mkdir(parents=True, exist_ok=True)
        write_model(path, quantization=quantization)
    (models / "unsloth/Devstral-Small-GGUF/mmproj-model-f16.gguf").write_bytes(b"a projector")
    (models / "unsloth/README.md").write_text("hello")
    hub = tmp_path / ".lmstudio/hub/models/qwen/qwen3-8b"
    hub.mkdir(parents=True)
    (hub / "model.yaml").write_text(
        "model: qwen/qwen3-8b\nbase:\n  - key: lmstudio-community/qwen3-8b-gguf\n    sources:\n"
        "      - type: huggingface\n        user: lmstudio-community\n        repo: Qwen3-8B-GGUF\n"
    )
    return tmp_path


def on_shelf(home):
    return all_models(models_folder(home), home=home)


def test_every_model_is_listed_under_lm_studio_s_names(home):
    shelf = on_shelf(home)
    assert shelf.notes == ()
    assert {file.entry.key: file.entry.variants for file in shelf.files} == {
        "lmstudio-community/qwen3-8b": (
            "qwen/qwen3-8b",
            "lmstudio-community/qwen3-8b@q4_k_m",
            "qwen/qwen3-8b@q4_k_m",
            "lmstudio-community/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf",
            "Qwen3-8B-Q4_K_M",
        ),
        "unsloth/devstral-small@q4_k_m": (
            "unsloth/Devstral-Small-GGUF/Devstral-Small-Q4_K_M.gguf",
            "Devstral-Small-Q4_K_M",
        ),
        "unsloth/devstral-small@q8_0": ("unsloth/Devstral-Small-GGUF/Devstral-Small-Q8_0.gguf", "Devstral-Small-Q8_0"),
    }


def test_an_entry_says_what_the_file_says(home):
    entry = on_shelf(home).files[0].entry
    assert (entry.type, entry.publisher, entry.architecture) == ("llm", "lmstudio-community", "llama")
    assert (entry.quantization, entry.format, entry.max_context_length) == ("Q4_K_M", "gguf", 8192)
    assert (entry.tool_use, entry.vision, entry.reasoning_options, entry.loaded) == (True, False, (), False)
    size = (home / ".lmstudio/models/lmstudio-community/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf").stat().st_size
    assert entry.size_bytes == size


@pytest.mark.parametrize(
    ("template", "tool_use", "reasoning"),
    [
        ("{{ messages }}", False, ()),
        ("{% if tools %}{{ tools }}{% endif %}", True, ()),
        ("{% if enable_thinking is defined %}<think>{% endif %}", False, ("off", "on")),
        ("{# a stool #}{{ messages }}", False, ()),
    ],
)
def test_the_template_tells_what_the_model_can(tmp_path, template, tool_use, reasoning):
    entry = find_model(str(write_model(tmp_path / "a.gguf", template=template)), tmp_path, home=tmp_path).entry
    assert (entry.tool_use, entry.reasoning_options) == (tool_use, reasoning)


@pytest.mark.parametrize(
    "name",
    [
        "qwen/qwen3-8b",
        "Qwen/Qwen3-8B",
        "lmstudio-community/qwen3-8b",
        "lmstudio-community/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf",
        "qwen3-8b-q4_k_m",
    ],
)
def test_a_model_is_found_by_each_of_its_names(home, name):
    found = find_model(name, models_folder(home), home=home)
    assert found.path.name == "Qwen3-8B-Q4_K_M.gguf"


def test_two_of_one_repository_must_be_told_apart(home):
    with pytest.raises(ModelNotFoundError) as caught:
        find_model("unsloth/devstral-small", models_folder(home), home=home)
    assert "unsloth/devstral-small@q8_0" in caught.value.nearest
    assert caught.value.hint == "did you mean `unsloth/devstral-small@q8_0`?"


def test_a_named_file_needs_no_folder(tmp_path, monkeypatch):
    write_model(tmp_path / "My-Model.gguf")
    monkeypatch.chdir(tmp_path)
    entry = find_model("My-Model.gguf", tmp_path / "none", home=tmp_path).entry
    assert (entry.key, entry.publisher) == ("my-model", None)
    assert entry.variants == ("My-Model", "My-Model.gguf", str(tmp_path / "My-Model.gguf"))


def test_a_missing_file_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(ModelNotFoundError) as caught:
        find_model("no/such.gguf", tmp_path / "models", home=tmp_path)
    assert caught.value.message == f"there is no model file `no/such.gguf`, and no models folder {tmp_path / 'models'}"
    assert caught.value.hint == "name a GGUF file, as `embedded:FILE.gguf`"
    (tmp_path / "Qwen3-8B.gguf").touch()
    with pytest.raises(ModelNotFoundError) as caught:
        find_model(str(tmp_path / "Qwen3-8.gguf"), tmp_path / "models", home=tmp_path)
    assert caught.value.hint == f"did you mean `{tmp_path / 'Qwen3-8B.gguf'}`?"


def test_a_named_file_that_is_none_is_an_error(tmp_path):
    (tmp_path / "a.gguf").write_text("hello, no model")
    with pytest.raises(LLMResponseError, match="is no GGUF file"):
        find_model(str(tmp_path / "a.gguf"), tmp_path, home=tmp_path)
    (tmp_path / "mmproj-a.gguf").write_text("hello, no model")
    with pytest.raises(LLMResponseError, match="holds no model that talks"):
        find_model(str(tmp_path / "mmproj-a.gguf"), tmp_path, home=tmp_path)


def test_a_broken_file_among_others_is_left_out_with_a_note(home):
    bad = home / ".lmstudio/models/unsloth/Bad-GGUF/bad.gguf"
    bad.parent.mkdir()
    bad.write_bytes(b"GGUF\3\0\0\0")
    shelf = on_shelf(home)
    assert len(shelf.files) == 3
    assert shelf.notes == (f"left out: the model file {bad} ends in the middle of its head",)


def test_the_pieces_of_a_model_are_one(tmp_path):
    folder = tmp_path / "org/Big-GGUF"
    folder.mkdir(parents=True)
    first = write_model(folder / "Big-Q4_K_M-00001-of-00002.gguf", quantization=Q4)
    second = folder / "Big-Q4_K_M-00002-of-00002.gguf"
    shutil.copy(first, second)
    [file] = all_models(tmp_path, home=tmp_path).files
    assert (file.path, file.entry.key) == (first, "org/big")
    assert file.entry.size_bytes == 2 * first.stat().st_size
    assert "Big-Q4_K_M" in file.entry.variants
    assert find_model(str(second), tmp_path, home=tmp_path).path == first
    second.unlink()
    assert all_models(tmp_path, home=tmp_path).notes == (
        f"left out: the model file {first} is one of 2 pieces, of which 1 are missing, the first {second.name}",
    )


def test_the_folder_is_where_lm_studio_s_settings_say(tmp_path):
    assert models_folder(tmp_path) == tmp_path / ".lmstudio/models"
    old = tmp_path / ".cache/lm-studio/models"
    old.mkdir(parents=True)
    assert models_folder(tmp_path) == old
    elsewhere = tmp_path / "disk"
    elsewhere.mkdir()
    settings = tmp_path / ".lmstudio/settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"downloadsFolder": str(elsewhere)}))
    assert models_folder(tmp_path) == elsewhere
    settings.write_text("[not json")
    assert models_folder(tmp_path) == old
