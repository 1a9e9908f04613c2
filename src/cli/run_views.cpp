#include "cli/run_views.h"

#include <mlx/mlx.h>

#include "base/paths.h"
#include "checkpoint/safetensors.h"
#include "syntax/dump.h"
#include "syntax/parser.h"

namespace portwright::cli {

namespace mx = mlx::core;
using Json = nlohmann::ordered_json;

namespace {

std::optional<checkpoint::Dtype> element_type(torch::Dtype dtype) {
  switch (dtype) {
    case torch::Dtype::Bool:
      return checkpoint::Dtype::Bool;
    case torch::Dtype::UInt8:
      return checkpoint::Dtype::U8;
    case torch::Dtype::Int8:
      return checkpoint::Dtype::I8;
    case torch::Dtype::Int16:
      return checkpoint::Dtype::I16;
    case torch::Dtype::Int32:
      return checkpoint::Dtype::I32;
    case torch::Dtype::Int64:
      return checkpoint::Dtype::I64;
    case torch::Dtype::Float16:
      return checkpoint::Dtype::F16;
    case torch::Dtype::BFloat16:
      return checkpoint::Dtype::BF16;
    case torch::Dtype::Float32:
      return checkpoint::Dtype::F32;
    default:
      return std::nullopt;
  }
}

/// How far two names are from each other: what they do not share at both ends.
size_t edits(std::string_view a, std::string_view b) {
  size_t shared = 0;
  while (shared < std::min(a.size(), b.size()) && a[shared] == b[shared]) {
    ++shared;
  }
  a.remove_prefix(shared);
  b.remove_prefix(shared);
  while (!a.empty() && !b.empty() && a.back() == b.back()) {
    a.remove_suffix(1);
    b.remove_suffix(1);
  }
  return a.size() + b.size();
}

}  // namespace

base::Result<void> write_layers(
    const std::filesystem::path& file,
    const std::vector<library::CapturedTensor>& tensors) {
  std::vector<mx::array> rows;
  rows.reserve(tensors.size());
  checkpoint::Tensors out;
  Json order = Json::array();
  for (const auto& [key, array, dtype] : tensors) {
    const auto type = element_type(dtype);
    if (!type) {
      return base::fail(
          key + " has a dtype that safetensors files do not hold",
          "leave it out with --modules");
    }
    rows.push_back(mx::contiguous(array));
    mx::eval(rows.back());
    checkpoint::TensorView& view = out[key];
    view.dtype = *type;
    view.shape.assign(array.shape().begin(), array.shape().end());
    view.data = std::span(
        rows.back().data<std::byte>(), rows.back().size() * array.itemsize());
    order.push_back(key);
  }
  return checkpoint::write_safetensors(file, out, {{"order", order.dump()}});
}

Json to_json(const std::vector<trace::ExplainedLine>& lines) {
  Json out = Json::array();
  for (const auto& line : lines) {
    out.push_back(
        {{"file", line.file},
         {"line", line.line},
         {"text", line.text},
         {"made", line.made},
         {"decided", line.decided}});
  }
  return out;
}

std::string nearest_names(const trace::Trace& trace, const std::string& name) {
  std::vector<std::pair<size_t, std::string>> names;
  for (const auto& [path, module] : trace.modules) {
    names.emplace_back(edits(name, path), path);
  }
  std::sort(names.begin(), names.end());
  std::string out;
  for (size_t i = 0; i < names.size() && i < 3; ++i) {
    out += (i ? ", " : "") + names[i].second;
  }
  return out;
}

base::Result<std::string> dump_syntax(
    eval::Interpreter& interp,
    const eval::Value& model) {
  const auto cls = eval::Value(static_cast<eval::Object*>(model.object()->cls));
  const std::string module = interp.getattr(cls, "__module__").str();
  const std::string file = interp.import_module(module)->file;
  auto text = base::read_file(file);
  if (!text) {
    return tl::unexpected(text.error());
  }
  const auto parsed = syntax::parse_module(file, std::move(*text));
  return syntax::dump(parsed.tree, false);
}

}  // namespace portwright::cli
