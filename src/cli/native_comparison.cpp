#include "cli/native_comparison.h"

#include <fmt/format.h>
#include <mlx/mlx.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "cli/native_reference.h"
#include "cli/token_ids.h"
#include "library/capture.h"
#include "library/install.h"
#include "library/model.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;
namespace mx = mlx::core;

/// float32 on both sides; the tiny models are conditioned far better.
constexpr double kTolerance = 1e-4;
/// Two roundings of the same formula differ by up to the noise of both.
constexpr double kNoises = 2;
constexpr uint64_t kSteps = 300'000'000;

/// max|a - b| / max|b| where the mask is 1; none for other shapes or NaN.
std::optional<double> relative_error(
    const mx::array& a,
    const mx::array& b,
    const std::optional<mx::array>& mask = std::nullopt) {
  if (a.shape() != b.shape()) {
    return std::nullopt;
  }
  mx::array difference = mx::abs(a - b);
  mx::array size = mx::abs(b);
  if (mask) {
    const mx::array kept = mx::expand_dims(mx::astype(*mask, mx::bool_), -1);
    difference = mx::where(kept, difference, mx::array(0.0f));
    size = mx::where(kept, size, mx::array(0.0f));
  }
  const double value = mx::max(difference).item<float>() /
                       std::max(mx::max(size).item<float>(), 1e-30f);
  if (!std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

/// The logits after the prefill and after each step, as the reference gives.
library::Evaluated<mx::array> decode(
    eval::Interpreter& interp,
    const eval::Value& model,
    const Probe& probe) {
  const mx::array ids = to_array(probe.full);
  auto session = library::Session::start(interp, model);
  if (!session) {
    return tl::unexpected(session.error());
  }
  auto logits = session->prefill(columns(ids, 0, probe.prefill));
  std::vector<mx::array> parts;
  for (int i = probe.prefill;; ++i) {
    if (!logits) {
      return logits;
    }
    const int last = logits->shape(1);
    parts.push_back(columns(*logits, last - 1, last));
    if (i == probe.full.columns) {
      return mx::concatenate(parts, 1);
    }
    logits = session->step(columns(ids, i, i + 1));
  }
}

std::string one_line(const diagnostics::Diagnostic& diagnostic) {
  std::string out = fmt::format(
      "{}: {}", diagnostics::name(diagnostic.kind), diagnostic.message);
  if (diagnostic.span) {
    out += " at " + base::to_string(diagnostic.span);
  }
  return out.substr(0, out.find('\n'));
}

/// "torch gives no decode: ...", for each part it could not compute.
std::string unanswered(const NativeReference& reference) {
  std::string out;
  for (const auto& [part, reason] : reference.failures) {
    out += fmt::format(
        "{}torch gives no {}: {}",
        out.empty() ? "" : "; ",
        part,
        reason.substr(0, reason.find('\n')));
  }
  return out;
}

/// "in:PATH" -> the dtypes of all its calls. Models walk sets, whose order
/// changes with every run of Python, so calls are compared as a whole.
std::map<std::string, std::multiset<std::string>> by_module(
    const std::map<std::string, std::string>& dtypes) {
  std::map<std::string, std::multiset<std::string>> out;
  for (const auto& [key, dtype] : dtypes) {
    out[key.substr(0, key.find('#'))].insert(dtype);
  }
  return out;
}

library::Evaluated<mx::array> evaluate(
    eval::Interpreter& interp,
    const eval::Value& model,
    const std::string& part,
    const Probe& probe) {
  if (part == "decode") {
    return decode(interp, model, probe);
  }
  const bool batch = part == "batch";
  std::optional<mx::array> mask;
  if (batch) {
    mask = to_array(probe.mask);
  }
  return library::forward(
      interp, model, to_array(batch ? probe.batch : probe.full), mask);
}

/// One question with all that its answer needs.
class Comparison {
 public:
  Comparison(
      const NativeQuestion& question,
      NativeReference reference,
      NativeReference exact)
      : question_(question),
        reference_(std::move(reference)),
        exact_(std::move(exact)),
        row_{question.type, "no reference", unanswered(reference_), {}, 0} {}

  report::CoverageRow run(const fs::path& library) {
    if (reference_.logits.empty()) {
      return row_;
    }
    library::install_library(interp_, library.string());
    const auto model = library::load_model(
        interp_, question_.checkpoint, *torch::dtype_by_name(question_.dtype));
    if (!model) {
      refuse(one_line(model.error()));
      return row_;
    }
    row_.status = "equal";
    if (!model->weights.unused.empty() && row_.reason.empty()) {
      row_.reason =
          "unused in the checkpoint: " + model->weights.unused.front();
    }
    if (!reference_.dtypes.empty()) {
      compare_dtypes(model->model);
    }
    for (const auto& [part, wanted] : reference_.logits) {
      if (row_.status != "refused") {
        compare_part(model->model, part, wanted);
      }
    }
    return row_;
  }

 private:
  void refuse(std::string reason) {
    row_.status = "refused";
    row_.reason = std::move(reason);
  }
  void differ(std::string reason) {
    if (row_.status == "equal") {
      row_.status = "different";
      row_.reason = std::move(reason);
    }
  }

  void compare_dtypes(const eval::Value& model) {
    auto capture = library::Capture::start(interp_, model, ".*", false);
    if (!capture) {
      return refuse(one_line(capture.error()));
    }
    const auto logits = evaluate(interp_, model, "full", probe_);
    const auto tensors = capture->tensors();
    capture->stop();
    if (!logits || !tensors) {
      return refuse(one_line(!logits ? logits.error() : tensors.error()));
    }
    std::map<std::string, std::string> ours;
    for (const auto& tensor : *tensors) {
      if (reference_.dtypes.contains(tensor.key)) {
        ours.emplace(tensor.key, torch::name(tensor.dtype));
      }
    }
    const auto wanted = by_module(reference_.dtypes);
    for (const auto& [module, dtypes] : by_module(ours)) {
      const auto& theirs = wanted.at(module);
      if (!std::includes(
              theirs.begin(), theirs.end(), dtypes.begin(), dtypes.end())) {
        return differ(fmt::format(
            "{} is {}, in torch {}",
            module,
            fmt::join(dtypes, ", "),
            fmt::join(theirs, ", ")));
      }
    }
  }

  void compare_part(
      const eval::Value& model,
      const std::string& part,
      const mx::array& wanted) {
    const auto got = evaluate(interp_, model, part, probe_);
    if (!got) {
      return refuse(part + ": " + one_line(got.error()));
    }
    std::optional<mx::array> mask;
    if (part == "batch") {
      mask = to_array(probe_.mask);
    }
    const auto error = relative_error(*got, wanted, mask);
    row_.errors[part] = error;
    if (!error) {
      return differ(part + " has another shape or is no number");
    }
    const double allowed = allowed_for(part, wanted, mask);
    if (!(*error < allowed)) {
      differ(fmt::format(
          "{} differs by {:.2g}, {:.2g} is allowed", part, *error, allowed));
    }
  }

  /// In float32 a fixed bound; else from torch's own distance from float32.
  double allowed_for(
      const std::string& part,
      const mx::array& wanted,
      const std::optional<mx::array>& mask) {
    const auto exact = exact_.logits.find(part);
    if (exact == exact_.logits.end()) {
      return kTolerance;
    }
    const auto noise = relative_error(wanted, exact->second, mask);
    row_.errors["noise of " + part] = noise;
    return noise ? kNoises * *noise : kTolerance;
  }

  const NativeQuestion& question_;
  NativeReference reference_, exact_;
  report::CoverageRow row_;
  eval::Interpreter interp_{{.steps = kSteps}};
  Probe probe_ = native_probe();
};

}  // namespace

report::CoverageRow compare_native(
    const NativeQuestion& question,
    const fs::path& library) {
  const bool exact = question.exact.empty();
  auto reference = read_reference(question.reference);
  auto floor = exact ? base::Result<NativeReference>(NativeReference{})
                     : read_reference(question.exact);
  if (!reference || !floor) {
    const auto& error = reference ? floor.error() : reference.error();
    return {question.type, "no reference", error.message, {}, 0};
  }
  const auto start = std::chrono::steady_clock::now();
  Comparison comparison(question, std::move(*reference), std::move(*floor));
  report::CoverageRow row = comparison.run(library);
  const std::string folder = library.parent_path().string() + "/";
  if (const size_t at = row.reason.find(folder); at != std::string::npos) {
    row.reason.erase(at, folder.size());
  }
  const std::chrono::duration<double> taken =
      std::chrono::steady_clock::now() - start;
  row.seconds = taken.count();
  return row;
}

}  // namespace portwright::cli
