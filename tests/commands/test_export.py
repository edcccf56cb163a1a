"""`ltr export`: what is in the file, and that others can use it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

import ltr
from ltr.cli import main
from ltr.data import dataset as data
from ltr.export.compact import logits

Captured = pytest.CaptureFixture[str]
GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "use-a-ticket-in-pytorch.md"


@pytest.fixture
def folder(finished: Any, root: Path) -> Path:
    """A copy of the quick run."""
    shutil.copytree(finished.root, root)
    return next(root.iterdir())


def exported(folder: Path, *words: str) -> Path:
    assert main(["export", "last", "--round", "1", "--output-root", str(folder.parent), *words]) == 0
    return max((folder / "export").glob("*.safetensors"), key=lambda path: path.stat().st_mtime_ns)


def final_accuracy(folder: Path) -> float:
    lanes = pd.read_parquet(folder / "results.parquet")
    return float(lanes.query("round == 1 and replicate == 0 and arm == 'ticket'")["final_accuracy"].iloc[0])


def test_weights_masks_and_start_are_those_of_the_ticket(folder: Path, capsys: Captured) -> None:
    path = exported(folder)
    assert capsys.readouterr().out.split() == [str(path), f"{path}.md"]
    tensors, ticket = load_file(path), ltr.load(folder).ticket(1)
    for layer in ("dense_1", "dense_2", "output"):
        np.testing.assert_array_equal(tensors[f"{layer}.kernel"], ticket.trained[layer]["kernel"])
        np.testing.assert_array_equal(tensors[f"{layer}.bias"], ticket.trained[layer]["bias"])
        np.testing.assert_array_equal(tensors[f"{layer}.kernel.mask"], ticket.mask[layer]["kernel"])
        np.testing.assert_array_equal(tensors[f"{layer}.kernel.start"], ticket.start[layer]["kernel"])
    card = Path(f"{path}.md").read_text()
    assert f"- test accuracy: {final_accuracy(folder):.6f} (after the last step)" in card
    with safe_open(path, "np") as opened:
        assert opened.metadata()["card"] == card
        assert sorted(opened.keys()) == re.findall("- `(.*)`", card.split("## Tensors")[1])


def test_the_compact_network_is_as_accurate(folder: Path) -> None:
    path = exported(folder, "--compact")
    tensors = load_file(path)
    layers = {
        layer: {part: tensors[f"{layer}.{part}"] for part in ("kernel", "bias")}
        for layer in ("dense_1", "dense_2", "output")
    }
    dataset = data.load(ltr.load(folder).experiment.dataset, None)
    images = (dataset.test.images - tensors["input.mean"]) / tensors["input.std"]
    hits = logits(layers, images.astype(np.float32)).argmax(1) == dataset.test.labels
    assert hits.mean() == pytest.approx(final_accuracy(folder), abs=1.5 / len(hits))


def test_forms_combine_and_have_names_of_their_own(folder: Path) -> None:
    names = [exported(folder, *words).name for words in ((), ("--sparse",), ("--compact", "--sparse"))]
    stem = "round_01-replicate_0"
    assert names == [f"{stem}{form}.safetensors" for form in ("", "-sparse", "-compact-sparse")]
    assert "dense_1.kernel.rows" in load_file(folder / "export" / names[1])


def test_onnx_gives_the_same_accuracy(folder: Path) -> None:
    pytest.importorskip("jax2onnx")
    runtime = pytest.importorskip("onnxruntime")
    assert main(["export", "last", "--round", "1", "--onnx", "--output-root", str(folder.parent)]) == 0
    path = folder / "export" / "round_01-replicate_0.onnx"
    assert "ONNX, of one input" in Path(f"{path}.md").read_text()
    session = runtime.InferenceSession(path)
    test = data.load(ltr.load(folder).experiment.dataset, None).test
    (found,) = session.run(None, {session.get_inputs()[0].name: test.images.astype(np.float32)})
    accuracy = (found.argmax(1) == test.labels).mean()
    assert accuracy == pytest.approx(final_accuracy(folder), abs=1.5 / len(test.labels))


def test_onnx_is_of_the_whole_network(folder: Path, capsys: Captured) -> None:
    assert main(["export", str(folder), "--round", "1", "--onnx", "--compact"]) == 2
    assert "--onnx: writes the whole network" in capsys.readouterr().err


def test_a_ticket_that_is_not_there_is_a_wrong_command(folder: Path, capsys: Captured) -> None:
    there = f"{folder}; it has rounds 0 to 1 of 2 replicates\n"
    assert main(["export", str(folder), "--round", "7"]) == 2
    assert capsys.readouterr().err == f"ltr export: round 7, replicate 0: no such ticket in {there}"


def test_a_round_must_be_named(folder: Path, capsys: Captured) -> None:
    assert main(["export", str(folder)]) == 2
    there = f"{folder} has rounds 0 to 1 of 2 replicates\n"
    assert capsys.readouterr().err == f"ltr export: --round: must be given; {there}"


def test_a_folder_is_a_place_for_it(folder: Path, tmp_path: Path) -> None:
    assert main(["export", str(folder), "--round", "1", "--output", str(tmp_path)]) == 0
    assert (tmp_path / "round_01-replicate_0.safetensors").exists()


def test_show_says_what_a_ticket_weighs(folder: Path, capsys: Captured) -> None:
    assert main(["show", str(folder), "--round", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    kept = sum(
        int(kept.sum()) for kept in ltr.load(folder).ticket(1).mask["dense_1"].values() if kept is not None
    )
    assert said["dense"] == 4 * (64 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10)
    assert said["operations"] > 2 * kept
    assert said["compact"] <= said["dense"]
    assert main(["show", str(folder), "--round", "1"]) == 0
    assert f"all weights           {said['dense']:,} bytes" in capsys.readouterr().out


def test_the_snippet_for_pytorch_gets_the_same_accuracy(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (snippet,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S)
    shutil.copy(exported(folder), tmp_path / "ticket.safetensors")
    dataset = data.load(ltr.load(folder).experiment.dataset, None)
    names: dict[str, Any] = {"images": dataset.test.images, "labels": dataset.test.labels}
    exec(snippet.replace('"ticket.safetensors"', repr(str(tmp_path / "ticket.safetensors"))), names)
    count = len(dataset.test.labels)
    assert names["accuracy"] == pytest.approx(final_accuracy(folder), abs=1.5 / count)


def test_a_path_that_cannot_be_written(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "ticket.safetensors"
    assert (
        main(["export", "last", "--round=1", "--output-root", str(folder.parent), f"--output={output}"]) == 2
    )
    said = capsys.readouterr().err
    assert re.fullmatch(rf"ltr export: --output={output}: cannot be written \([\w ]+\)\n", said)
