"""The reference worker: serves `reference` and `synth` over pipes."""

import inspect
import json
import sys

from . import offline, protocol

offline.environment()


class Service:
    def __init__(self):
        self._models = {}

    def ping(self):
        return protocol.versions("torch", "transformers", "safetensors", "tokenizers")

    def warm(self):
        offline.quiet()
        import transformers.models.auto.modeling_auto  # noqa: F401

        return {}

    def synth(self, what, folder, seed=None, overrides=None, hub_form=False, **options):
        from . import hub_form as hub
        from . import synth

        seed = synth.SEED if seed is None else seed
        try:
            done = synth.synth(what, folder, seed, overrides, **options)
        except synth.SynthError as error:
            raise protocol.WorkerError("synth-failed", str(error)) from error
        if hub_form:
            done["config"].update(hub.complete(folder))
        return done

    def locate(self, what):
        """The folder of a repository in the Hub's local cache."""
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        try:
            return {"folder": snapshot_download(what, local_files_only=True)}
        except (OSError, HfHubHTTPError, HFValidationError) as error:
            message = f"{what} is neither a directory nor in the Hub's local cache"
            raise protocol.WorkerError("not-found", message) from error

    def load(
        self, model, folder, dtype="float32", trust_remote_code=False, scratch=None
    ):
        from .reference import Reference

        self._models[model] = loaded = Reference(
            folder, dtype, trust_remote_code, scratch
        )
        return {
            "modules": self._sources(loaded.model),
            "parameters": loaded.parameters,
            "kept": loaded.kept(dtype),
        }

    def _sources(self, model):
        """{path: {class, file, line}} of every module."""
        known = {}
        out = {}
        for path, module in model.named_modules():
            cls = type(module)
            if cls not in known:
                try:
                    known[cls] = (
                        inspect.getsourcefile(cls),
                        inspect.getsourcelines(cls)[1],
                    )
                except (OSError, TypeError):
                    known[cls] = (None, None)
            file, line = known[cls]
            out[path] = {"class": cls.__name__, "file": file, "line": line}
        return out

    def unload(self, model):
        self._models.pop(model, None)
        return {}

    def _write(self, tensors, order, out):
        from safetensors.torch import save_file

        float32 = {
            k: (v.float() if v.is_floating_point() else v).contiguous()
            for k, v in tensors.items()
        }
        dtypes = {k: str(v.dtype).removeprefix("torch.") for k, v in tensors.items()}
        metadata = {"order": json.dumps(order), "dtypes": json.dumps(dtypes)}
        save_file(float32, out, metadata)
        return {"tensors": out, "order": order, "dtypes": dtypes}

    def _model(self, name):
        """`form:CONFIG` is the model in another config, made when first asked for."""
        if name not in self._models and name.startswith("form:"):
            from .config_forms import in_form

            kept = {n: m for n, m in self._models.items() if ":" not in n}
            made = in_form(kept["model"], json.loads(name.removeprefix("form:")))
            self._models = {**kept, name: made}
        if name not in self._models:
            raise protocol.WorkerError("bad-request", f"no model {name!r} is loaded")
        return self._models[name]

    def forward(self, model, ids, out, mask=None, capture=None, functions=None):
        loaded = self._model(model)
        done = loaded.forward(ids, mask, capture, functions=functions)
        return self._write(*done, out)

    def decode(self, model, ids, prefill, out, capture=None, pieces=0, **more):
        from .reference import in_pieces

        loaded = self._model(model)
        tensors, order = loaded.decode(ids, prefill, capture=capture, **more)
        if pieces:
            tensors = {**tensors, **in_pieces(tensors, prefill, pieces)}
        return self._write(tensors, order, out)

    def ties(self, model, prompts):
        from . import ties

        loaded = self._model(model)
        return {"positions": [ties.tied(loaded, prompt) for prompt in prompts]}

    def generate(self, model, ids, tokens):
        return {"ids": self._model(model).generate(ids, tokens)}

    def config_forms(self, model, folder, ids, out, without=False):
        from .config_forms import ConfigForms

        forms = ConfigForms(self._model(model), folder)
        altered = forms.without(ids) if without else forms.altered(ids)
        tensors = {f"logits/{i}": a.pop("logits") for i, a in enumerate(altered)}
        tensors["logits"] = self._model(model).forward(ids)[0]["logits"]
        written = self._write(tensors, [], out)
        return {**written, "equal": forms.equal(), "altered": altered}

    def windowed(self, model, folder, ids):
        """{config, fields} in which attention forgets; config null: there is none."""
        from .config_forms import ConfigForms

        return ConfigForms(self._model(model), folder).windowed(ids)

    def tied(self, model):
        """{tensor: the one that it is}."""
        return {"tied": self._model(model).tied()}

    def unneeded(self, model, folder, names, ids):
        """Those tensors of the checkpoint that torch does without."""
        from .unneeded import unneeded

        return {"names": unneeded(self._model(model), folder, names, ids)}

    def texts(self, folder, trust_remote_code=False):
        from . import texts

        return {"texts": texts.prompts(folder, trust_remote_code)}

    def chat(self, folder):
        from . import chat

        return chat.of_transformers(folder)

    def low_precision(self, model, folder, ids, out):
        loaded = self._model(model)
        written = self._write(*loaded.low_precision(folder, ids), out)
        kept = {f"weight:{name}": dtype for name, dtype in loaded.kept_low.items()}
        dtypes = {**written["dtypes"], **kept}
        return {**written, "dtypes": dtypes, "answers": loaded.answers}

    def stressed(self, model, ids, groups, kinds, out):
        """Leaves the model in float64 loaded, as `model/float64`."""
        from . import stress

        loaded, twin = self._model(model), f"{model}/float64"
        if twin not in self._models:
            self._models[twin] = stress.in_float64(loaded)
        done = stress.in_float32(loaded, self._models[twin], ids, groups, kinds)
        return self._write(*done, out)

    def stressed_low(self, model, folder, ids, groups, kinds, out):
        from . import stress

        done = stress.in_bfloat16(self._model(model), folder, ids, groups, kinds)
        return self._write(*done, out)

    def between(self, model, folder, ids, low, paths, out):
        return self._write(*self._model(model).between(folder, ids, low, paths), out)

    def shutdown(self):
        return "bye"


def main():
    service = Service()
    names = [n for n in dir(service) if not n.startswith("_")]
    protocol.serve({n: getattr(service, n) for n in names})
    return 0


if __name__ == "__main__":
    sys.exit(main())
