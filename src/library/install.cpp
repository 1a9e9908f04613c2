#include "library/install.h"

#include <filesystem>

#include "base/paths.h"
#include "base/pattern.h"
#include "eval/parsed_files.h"
#include "library/model_packages.h"
#include "torch/torch.h"

namespace portwright::library {

#define PW_PRELUDES(X) \
  X(associative_scan)  \
  X(auto_factory)      \
  X(capturing)         \
  X(conversions)       \
  X(docstrings)        \
  X(einops)            \
  X(dynamic_modules)   \
  X(flash_attention)   \
  X(flex_attention)    \
  X(futures)           \
  X(generation)        \
  X(hub)               \
  X(hub_dataclasses)   \
  X(hub_errors)        \
  X(hub_root)          \
  X(import_utils)      \
  X(integrations)      \
  X(loading)           \
  X(logging)           \
  X(loss)              \
  X(modeling_layers)   \
  X(modeling_utils)    \
  X(onnx)              \
  X(output_capturing)  \
  X(packaging)         \
  X(processing_utils)  \
  X(running)           \
  X(transformers_root) \
  X(versions)          \
  X(vmap_indexing)

#define X(name) std::string_view embedded_##name();
PW_PRELUDES(X)
#undef X

namespace {

/// The torch whose vocabulary we speak.
constexpr const char* kTorchVersion = "2.13.0";

struct Prelude {
  const char* module;
  std::string_view (*text)();
  bool is_package = false;
};

/// What takes the place of the library's own modules, and why: they reach for
/// files, devices, kernels or the network, or dress up what they are given.
const Prelude kPreludes[] = {
    {"transformers", embedded_transformers_root, true},
    {"transformers.dynamic_module_utils", embedded_dynamic_modules},
    {"transformers.modeling_flash_attention_utils", embedded_flash_attention},
    {"transformers.modeling_layers", embedded_modeling_layers},
    {"transformers.modeling_utils", embedded_modeling_utils},
    {"transformers.models.auto.auto_factory", embedded_auto_factory},
    {"transformers.onnx", embedded_onnx, true},
    {"transformers.onnx.utils", embedded_onnx},
    {"transformers.processing_utils", embedded_processing_utils},
    {"transformers.utils.args_doc", embedded_docstrings},
    {"transformers.utils.auto_docstring", embedded_docstrings},
    {"transformers.utils.doc", embedded_docstrings},
    {"transformers.utils.hub", embedded_hub},
    {"transformers.utils.import_utils", embedded_import_utils},
    {"transformers.utils.logging", embedded_logging},
    {"transformers.utils.output_capturing", embedded_output_capturing},
    {"transformers.generation", embedded_generation, true},
    {"transformers.generation.continuous_batching", embedded_generation},
    {"transformers.generation.logits_process", embedded_generation},
    {"transformers.generation.stopping_criteria", embedded_generation},
    {"transformers.generation.streamers", embedded_generation},
    {"transformers.loss", embedded_loss, true},
    {"transformers.loss.loss_utils", embedded_loss},
    {"transformers.integrations", embedded_integrations, true},
    {"transformers.integrations.accelerate", embedded_integrations},
    {"transformers.integrations.deepspeed", embedded_integrations},
    {"transformers.integrations.fsdp", embedded_integrations},
    {"transformers.integrations.hub_kernels", embedded_integrations},
    {"transformers.integrations.moe", embedded_integrations},
    {"transformers.integrations.peft", embedded_integrations},
    {"transformers.distributed", embedded_integrations, true},
    {"transformers.distributed.fsdp", embedded_integrations},
    {"transformers.distributed.mixin", embedded_integrations},
    {"transformers.distributed.utils", embedded_integrations},
    {"einops", embedded_einops, true},
    {"einops.layers", embedded_einops, true},
    {"einops.layers.torch", embedded_einops},
    {"huggingface_hub", embedded_hub_root, true},
    {"huggingface_hub.dataclasses", embedded_hub_dataclasses},
    {"huggingface_hub.errors", embedded_hub_errors},
    {"torch._dynamo._trace_wrapped_higher_order_op", embedded_vmap_indexing},
    {"torch._higher_order_ops.associative_scan", embedded_associative_scan},
    {"torch.nn.attention.flex_attention", embedded_flex_attention},
    {"concurrent.futures", embedded_futures},
    {"packaging", embedded_packaging, true},
    {"packaging.version", embedded_versions},
    {"portwright.capturing", embedded_capturing},
    {"portwright.conversions", embedded_conversions},
    {"portwright.loading", embedded_loading},
    {"portwright.running", embedded_running},
};

}  // namespace

std::string transformers_version(const std::string& transformers_dir) {
  const auto text =
      base::read_file(std::filesystem::path(transformers_dir) / "__init__.py");
  static const base::Pattern pattern("__version__ = \"([^\"]+)\"");
  const auto found = text ? pattern.search(*text) : std::nullopt;
  return found ? (*found)[1] : "0.0.0";
}

void install_library(
    eval::Interpreter& interp,
    const std::string& transformers_dir) {
  torch::install_torch(interp);
  interp.register_package("transformers", transformers_dir);
  register_model_packages(interp, transformers_dir);
  for (const Prelude& prelude : kPreludes) {
    interp.register_source_module(
        prelude.module, prelude.text(), prelude.is_package);
  }
  interp.register_native_module(
      "portwright.facts",
      [version = transformers_version(transformers_dir)](
          eval::Interpreter&, eval::ModuleObject& module) {
        module.set("transformers_version", eval::str(version));
        module.set("torch_version", eval::str(kTorchVersion));
      });
}

void read_ahead(eval::Interpreter& interp) {
  // In the order of their use; those used at once are not worth it.
  eval::parse_ahead(
      interp,
      {"transformers.modeling_rope_utils",
       "transformers.generation.configuration_utils",
       "transformers.models.auto.auto_mappings",
       "transformers.models.auto.modeling_auto",
       "torch._surface",
       "torch._nn.module",
       "torch._nn.layers",
       "transformers.utils.generic",
       "transformers.modeling_utils",
       "transformers.activations",
       "transformers.generation.utils",
       "transformers.cache_utils",
       "transformers.masking_utils",
       "transformers.modeling_outputs",
       "portwright.running",
       "transformers.conversion_mapping",
       "transformers.core_model_loading",
       "portwright.conversions",
       "mlx_lm.models.base",
       "mlx.nn.layers.base",
       "mlx_lm.models.cache",
       "mlx_lm.models.rope_utils",
       "mlx_lm.models.activations",
       "mlx.nn.layers.positional_encoding",
       "mlx.nn.layers.normalization",
       "mlx.nn.layers.activations",
       "mlx.utils",
       "portwright.source_weights",
       "portwright.proving"});
}

void register_checkpoint_code(
    eval::Interpreter& interp,
    const std::string& directory) {
  interp.register_package("transformers_modules", directory);
}

}  // namespace portwright::library
