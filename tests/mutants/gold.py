"""torch's answers to mutants: which changes are real, and checkpoints of them."""

import importlib
import itertools
import shutil
import sys
import types

from portwright.workers import offline, synth, synth_weights

from library import drawing

IDS = [(i * 37 + 11) % 256 for i in range(23)]
CHANGED = 1e-3
KEPT = 2e-5
TRIES = 6
_number = itertools.count()


def _classes(folder, arch, name):
    """The classes of a written architecture, imported from its files."""
    package = types.ModuleType(f"mutant_package_{next(_number)}")
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package
    modeling = importlib.import_module(f"{package.__name__}.modeling_{name}")
    configuration = importlib.import_module(f"{package.__name__}.configuration_{name}")
    return getattr(modeling, arch.causal_name), getattr(
        configuration, arch.config_class.name
    )


class Judge:
    """Builds each stage of a mutant with the weights of the one before."""

    def __init__(self, scratch, told=None):
        offline.quiet()
        import torch

        torch.set_num_threads(1)  # tiny models, and the compiler beside them
        self.torch = torch
        self.scratch = scratch
        self.told = told or (lambda text: None)
        self.state = self.logits = self.model = self.folder = None

    def __call__(self, arch, keeps):
        name = f"stage_{next(_number)}"
        folder = self.scratch / name
        try:
            model = self._build(folder, arch, name)
            renamed = arch.renamed if keeps is not None else []
            if keeps is None:
                self.state = {}
            self._carry(model, renamed)
            logits = self._run(model)
        except Exception as error:
            self.told(f"torch does not take it: {type(error).__name__}: {error}")
            if keeps is None:
                raise
            return None
        effect = 0.0
        if keeps is not None:
            effect = (
                (logits - self.logits).abs().max() / self.logits.abs().max()
            ).item()
            finite = logits.isfinite().all() and 1e-3 < logits.abs().max() < 1e4
            if not finite or (effect > KEPT if keeps else effect < CHANGED):
                self.told(f"no: changes the logits by {effect:.2g}")
                return None
        self.state = {k: v.clone() for k, v in model.state_dict().items()}
        self.logits, self.model = logits, model
        if self.folder:
            shutil.rmtree(self.folder)
        self.folder = folder
        return effect

    def _build(self, folder, arch, name, changes=None):
        arch.write(folder, name, arch.base_config, changes)
        causal, configuration = _classes(folder, arch, name)
        config = configuration.from_pretrained(folder)
        options = {"dtype": self.torch.float32, "attn_implementation": "eager"}
        try:
            model = causal._from_config(
                config, experts_implementation="eager", **options
            )
        except (TypeError, ValueError):
            model = causal._from_config(config, **options)
        synth_weights.randomize(self.torch, model.eval(), synth.SEED, 1.0)
        return model

    def _carry(self, model, renamed):
        """Weights that the stage before had too are taken from it."""
        own = model.state_dict()
        for key, value in self.state.items():
            parts = key.split(".")
            for candidate in (parts, [dict(renamed).get(p, p) for p in parts]):
                mine = own.get(".".join(candidate))
                if mine is not None and mine.shape == value.shape:
                    mine.copy_(value)
                    break
        model.tie_weights()

    def _run(self, model):
        with self.torch.no_grad():
            return model(self.torch.tensor([IDS]), use_cache=False).logits

    def vary(self, mutant, folder, dice):
        """A checkpoint of another config of the mutant, which torch takes: the fields
        that differ, or None after some tries."""
        fields = {**mutant.arch.base_config, **mutant.arch.fields}
        for _ in range(TRIES):
            name = f"stage_{next(_number)}"
            changes = drawing.overrides(dice, fields, most=2)
            place = self.scratch / name
            try:
                model = self._build(place, mutant.arch, name, changes)
                if not self._run(model).isfinite().all():
                    continue
            except Exception as error:
                self.told(f"torch does not take {changes}: {error}")
                continue
            mutant.arch.write(folder, mutant.name, mutant.arch.base_config, changes)
            kept = (folder / "config.json").read_text()
            model.save_pretrained(folder)
            (folder / "config.json").write_text(kept)
            return changes
        return None

    def save(self, mutant, folder):
        """The last stage as a checkpoint with its own code. Whether torch answers
        the same when it loads it as remote code."""
        mutant.arch.write(folder, mutant.name, mutant.arch.base_config)
        kept = (folder / "config.json").read_text()
        self.model.save_pretrained(folder)
        for file in folder.glob("*stage_*"):
            file.unlink()
        (folder / "config.json").write_text(kept)
        from portwright.workers.reference import Reference

        loaded = Reference(folder, trust_remote_code=True)
        again = loaded.forward([IDS])[0]["logits"]
        return bool((again - self.logits).abs().max() < 1e-4 * self.logits.abs().max())
