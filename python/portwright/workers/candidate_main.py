"""The candidate worker: serves `candidate` over pipes."""

import argparse
import json
import sys

from . import emulation, offline, protocol, raising

offline.environment()


class Service:
    def __init__(self):
        self._models = {}

    def ping(self):
        return protocol.versions("mlx", "mlx-lm")

    def warm(self):
        import mlx_lm.generate
        import mlx_lm.utils  # noqa: F401

        return {"mlx_lm": mlx_lm.__file__}

    def load(
        self, model, checkpoint, port=None, dtype="float32", strict=True, streamed=False
    ):
        from .candidate import Candidate

        loaded = Candidate(checkpoint, port, dtype, strict, streamed)
        self._forget_forms()
        self._models[model] = loaded
        return {
            "modules": loaded.lines(),
            "layers": loaded.layer_paths(),
            **self._caches(loaded),
            "file": getattr(loaded.module, "__file__", None),
        }

    @staticmethod
    def _caches(loaded):
        return {"caches": loaded.cache_kinds(), "windows": loaded.windows()}

    def caches(self, model):
        loaded = self._model(model)
        return {**self._caches(loaded), "modules": loaded.lines()}

    def unload(self, model):
        self._models.pop(model, None)
        return {}

    def keep(self, model, dtypes):
        self._model(model).keep(dtypes)
        return {}

    def _forget_forms(self):
        self._models = {n: m for n, m in self._models.items() if ":" not in n}

    def _model(self, name):
        """`form:CONFIG` is the model in another config, made when first asked for."""
        if name not in self._models and name.startswith("form:"):
            from .candidate_probes import in_form

            self._forget_forms()
            config = json.loads(name.removeprefix("form:"))
            self._models[name] = in_form(self._model("model"), config)
        if name not in self._models:
            raise protocol.WorkerError("bad-request", f"no model {name!r} is loaded")
        return self._models[name]

    def _write(self, tensors, out, watch=None):
        import mlx.core as mx

        dtypes = {k: str(v.dtype).removeprefix("mlx.core.") for k, v in tensors.items()}
        floats = {
            k: v.astype(mx.float32) if mx.issubdtype(v.dtype, mx.floating) else v
            for k, v in tensors.items()
        }
        order = watch.order if watch else []
        emulated = emulation.used
        emulation.reset()
        mx.save_safetensors(out, floats, {"order": json.dumps(order)})
        facts = {"order": order, "dtypes": dtypes, "emulated": emulated}
        facts["answers"] = watch.answers if watch else {}
        return {"tensors": out, **facts}

    def _inject(self, path, only):
        """Arrays to feed: {`in:PATH`: array}, those in `only` ({key: key in file})."""
        if not path:
            return None
        import mlx.core as mx

        arrays = mx.load(path)
        return {new: arrays[old] for new, old in (only or {}).items() if old in arrays}

    def forward(self, model, ids, out, capture=None, inject=None, **more):
        arrays = self._inject(inject, more.pop("feed", None))
        tensors, watch = self._model(model).forward(ids, capture, arrays, **more)
        return self._write(tensors, out, watch)

    def decode(
        self, model, ids, prefill, out, chunk=None, capture=None, inject=None, **more
    ):
        arrays = self._inject(inject, more.pop("feed", None))
        tensors, watch = self._model(model).decode(
            ids, prefill, chunk, capture, arrays, **more
        )
        return self._write(tensors, out, watch)

    def batch(self, model, prompts, steps, out, **options):
        tensors, watch = self._model(model).batch(prompts, steps, **options)
        return {**self._write(tensors, out, watch), "masked": watch.masked}

    def left_padded(self, model, prompts, out, **options):
        tensors, watch = self._model(model).left_padded(prompts, **options)
        return {**self._write(tensors, out, watch), "masked": watch.masked}

    def deepcopied(self, model, ids, out):
        return self._write(self._model(model).deepcopied(ids), out)

    def generate(self, model, ids, tokens):
        return {"ids": self._model(model).generate(ids, tokens)}

    def config_forms(self, model, configs, ids, out):
        from . import candidate_probes as probes

        tensors, errors = probes.with_configs(self._model(model), configs, ids)
        return {**self._write(tensors, out), "errors": errors}

    def prompt_cache(self, model, ids, prefill, extra, out):
        from . import candidate_probes as probes

        tensors = probes.prompt_cache(self._model(model), ids, prefill, extra)
        return self._write(tensors, out)

    def quantized(self, model, ids, prefill, bits, out):
        from . import candidate_probes as probes

        loaded = self._model(model)
        tensors, facts = probes.quantized(loaded, loaded.again, ids, prefill, bits)
        return {**self._write(tensors, out), **facts}

    def lora(self, model, ids, steps):
        from . import candidate_probes as probes

        return probes.lora(self._model(model).again, ids, steps)

    def chat(self, folder):
        from pathlib import Path

        from . import chat

        return chat.of_mlx_lm(Path(folder))

    def sharded(self, model, way, ids, prefill, out, port=None, **more):
        from . import sharded

        loaded = self._model(model)
        if sharded.method(loaded.model, way) is None:
            return {"sharded": False}
        sharded.launch(loaded, way, port, ids, prefill, out, **more)
        return {"sharded": True}

    def speed(self, model, ids, tokens):
        """Seconds and bytes: a prefill, single steps, the peak of memory."""
        return self._model(model).speed(ids, tokens)

    def types(self):
        """The model types that mlx_lm has files for, remapped ones too."""
        from pathlib import Path

        import mlx_lm.models
        from mlx_lm import utils

        out = set(getattr(utils, "MODEL_REMAPPING", {}))
        for file in Path(mlx_lm.models.__path__[0]).glob("*.py"):
            if "\nclass Model(" in file.read_text(encoding="utf-8"):
                out.add(file.stem)
        return {"types": sorted(out)}

    def plant(self, model, file, folder, ids, prefill):
        """Every bug that can be planted into `file`, each a file in `folder`."""
        from pathlib import Path

        from . import planting

        text = Path(file).read_text(encoding="utf-8")
        lines = self._model(model).reached_lines(ids, prefill)
        out = []
        for bug in planting.bugs(text):
            changed = planting.planted(text, bug)
            if changed is not None:
                path = Path(folder) / f"{len(out):03}-{bug.name}.py"
                path.write_text(changed, encoding="utf-8")
                facts = {k: v for k, v in vars(bug).items() if k != "edits"}
                facts["first"], facts["last"] = planting.lines_of(changed, bug.scope)
                reached = bool(lines & set(range(bug.line, bug.end + 1)))
                out.append({**facts, "file": str(path), "reached": reached})
        return {"bugs": out}

    def weights(self, checkpoint, port=None, tied=None):
        """Needs no loaded model: it must answer when strict loading fails."""
        from pathlib import Path

        from mlx_lm import utils

        from .candidate import import_port
        from .candidate_weights import inspect_weights

        config = utils.load_config(Path(checkpoint))
        if port is not None:
            module = import_port(port)
            classes = (module.Model, module.ModelArgs)
        elif config.get("model_file"):
            module = import_port(Path(checkpoint) / config["model_file"])
            classes = (module.Model, module.ModelArgs)
        else:
            classes = utils._get_classes(config)
        return inspect_weights(classes, Path(checkpoint), config, tied)

    def shutdown(self):
        return "bye"

    def _telling(self, handler):
        """The handler, whose exceptions know the module of the port that raised."""

        def handle(**request):
            try:
                return handler(**request)
            except Exception as error:
                if loaded := self._models.get(request.get("model")):
                    raising.note(error, loaded)
                raise

        return handle


def main():
    parser = argparse.ArgumentParser(prog="portwright.workers.candidate_main")
    parser.add_argument("--mlx-lm", metavar="DIR", help="a checkout of mlx-lm")
    args = parser.parse_args()
    if args.mlx_lm:
        from pathlib import Path

        folder = Path(args.mlx_lm).resolve()
        sys.path.insert(0, str(folder.parent if folder.name == "mlx_lm" else folder))
    service = Service()
    names = [n for n in dir(service) if not n.startswith("_")]
    protocol.serve({n: service._telling(getattr(service, n)) for n in names})
    return 0


if __name__ == "__main__":
    sys.exit(main())
