#include <functional>
#include <numeric>

#include "verify/checks/checks.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

std::string module_of(const std::string& key) {
  return key.substr(key.find(':') + 1, key.find('#') - key.find(':') - 1);
}

bool is(const Run& run, const std::string& key, std::string_view dtype) {
  const auto it = run.dtypes.find(key);
  return it != run.dtypes.end() && it->second == dtype;
}

std::string dtype_of(const Run& run, const std::string& key) {
  const auto it = run.dtypes.find(key);
  return it == run.dtypes.end() ? "" : it->second;
}

/// All outputs of a module, the first of which is kept under `kind` and its
/// path; none where it was not called.
std::vector<Answer>
answers_of(const Run& run, const std::string& kind, const std::string& path) {
  if (const auto it = run.answers.find(path); it != run.answers.end()) {
    return it->second;
  }
  const auto dtype = dtype_of(run, kind + path);
  return dtype.empty()
             ? std::vector<Answer>()
             : std::vector<Answer>{{dtype, run.shape_of(kind + path)}};
}

/// Tokens may be rows on one side: the size and the last axis agree.
bool is_alike(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  const auto size = [](const std::vector<int64_t>& shape) {
    return std::accumulate(
        shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  };
  return !a.empty() && !b.empty() && a.back() == b.back() && size(a) == size(b);
}

/// A module that the source does not call computes in the dtype of its weights.
bool is_of_float32_weights(const Run& source, const std::string& module) {
  const auto prefix = "weight:" + module + ".";
  for (auto it = source.dtypes.lower_bound(prefix);
       it != source.dtypes.end() && it->first.starts_with(prefix);
       ++it) {
    if (it->second == "float32" &&
        it->first.find('.', prefix.size()) == it->first.npos) {
      return true;
    }
  }
  return false;
}

/// Whether a module leaves bfloat16 by an output that the source's has not in
/// float32: those of a router may come in another order there, and others
/// beside them.
bool leaks(const Run& run, const Run* source, const std::string& path) {
  const auto theirs =
      source ? answers_of(*source, "low:", path) : std::vector<Answer>();
  const auto ours = answers_of(run, "out:", path);
  for (size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].dtype != "float32") {
      continue;
    }
    if (theirs.empty()) {
      return !source ||
             !is_of_float32_weights(*source, module_of("out:" + path));
    }
    std::vector<Answer> same;
    std::copy_if(
        theirs.begin(),
        theirs.end(),
        std::back_inserter(same),
        [&](const Answer& answer) {
          return is_alike(answer.shape, ours[i].shape);
        });
    if (same.empty() && i == 0) {
      same.push_back(theirs.front());
    }
    const bool wide =
        std::any_of(same.begin(), same.end(), [](const Answer& answer) {
          return answer.dtype == "float32";
        });
    if (!same.empty() && !wide) {
      return true;
    }
  }
  return false;
}

/// Modules that take bfloat16 and give float32, in the order of their calls,
/// but for those that do so in the source.
std::vector<std::string> find_leaks(const Run& run, const Run* source) {
  std::vector<std::string> out;
  for (const auto& path : run.order) {
    if (is(run, "in:" + path, "bfloat16") && leaks(run, source, path)) {
      out.push_back(module_of("out:" + path));
    }
  }
  return out;
}

/// What every module takes and gives, in the order of the first calls; layers
/// that do alike share an entry.
std::vector<DtypeFlow>
flows(Session& session, const Run& run, const Run* source) {
  const auto leaks = find_leaks(run, source);
  std::vector<DtypeFlow> out;
  for (const auto& path : run.order) {
    DtypeFlow flow;
    const auto place = in_layer(session, module_of("out:" + path));
    flow.module = place.module;
    flow.takes = dtype_of(run, "in:" + path);
    flow.gives = dtype_of(run, "out:" + path);
    flow.torch_gives = source ? dtype_of(*source, "low:" + path) : "";
    flow.leak =
        std::find(leaks.begin(), leaks.end(), module_of("out:" + path)) !=
        leaks.end();
    auto same =
        std::find_if(out.begin(), out.end(), [&](const DtypeFlow& other) {
          auto alike = other;
          alike.layers.clear();
          return alike == flow && other.layers.empty() == !place.layer;
        });
    if (same == out.end()) {
      same = out.insert(same, std::move(flow));
    }
    auto& layers = same->layers;
    if (place.layer && (layers.empty() || layers.back() != *place.layer)) {
      layers.push_back(*place.layer);
    }
  }
  return out;
}

/// The first leak, seen from inside: calls are listed before what they call.
std::string innermost(const std::vector<std::string>& leaks) {
  std::string out = leaks.empty() ? "" : leaks.front();
  for (const auto& leak : leaks) {
    if (leak.starts_with(out + ".")) {
      out = leak;
    }
  }
  return out;
}

bool is_layer(Session& session, const std::string& module) {
  const auto& layers = session.candidate_layers();
  return std::find(layers.begin(), layers.end(), module) != layers.end();
}

CheckResult judge_leaks(Session& session, const Run& run, const Run* source) {
  const bool wide = is(run, "logits", "float32") &&
                    !(source && is(*source, "logits", "float32"));
  const auto leaks = find_leaks(run, source);
  const auto layer =
      std::find_if(leaks.begin(), leaks.end(), [&](const std::string& leak) {
        return is_layer(session, leak);
      });
  if (layer == leaks.end() && !wide && leaks.empty()) {
    return passed();
  }
  const std::string first = innermost(leaks);
  CheckResult out;
  if (layer != leaks.end() || wide) {
    out = failed(fmt::format(
        "a bfloat16 model computes in float32 from {} on",
        first.empty() ? "its head" : first));
  } else {
    out = warned(fmt::format(
        "{} takes bfloat16 and gives float32 (its layer casts back)", first));
  }
  out.place = place_at(session, first);
  return out;
}

/// The first step that leaves the dtype which the prompt has: of a model, or of
/// a module.
CheckResult
judge_steps(Session& session, const Run& plain, const Run& decoded) {
  std::vector<std::string> leaks;
  for (const auto& path : plain.order) {
    if (is(plain, "out:" + path, "bfloat16") &&
        is(decoded, "step1/out:" + path, "float32")) {
      leaks.push_back(module_of("out:" + path));
    }
  }
  const auto first = innermost(leaks);
  const auto logits = dtype_of(decoded, "logits");
  CheckResult out;
  if (!logits.empty() && !is(plain, "logits", logits)) {
    out = failed("a cached step of a bfloat16 model gives " + logits);
  } else if (!leaks.empty()) {
    out =
        warned(first + " gives bfloat16 in a prompt, float32 in a cached step");
  } else {
    return passed();
  }
  out.place = place_at(session, first);
  return out;
}

Outcome<CheckResult> check_dtype(Session& session) {
  RunRequest request;
  request.ids = {session.plan().ids};
  request.capture = ".*";
  // A plain pass, and a cached one: states may leak where prompts do not.
  Run plain, decoded;
  const auto done = session.in_bfloat16([&]() -> Outcome<void> {
    for (Run* run : {&plain, &decoded}) {
      request.prefill = run == &decoded ? session.plan().prefill : 0;
      auto made = session.candidate().run(request);
      if (!made) {
        return tl::unexpected(made.error());
      }
      *run = std::move(*made);
    }
    return {};
  });
  if (!done) {
    return tl::unexpected(done.error());
  }
  const auto torch = session.reference_in_bfloat16();
  auto out = judge_leaks(session, plain, torch ? *torch : nullptr);
  out.figures.dtypes = flows(session, plain, torch ? *torch : nullptr);
  if (out.status == Status::Pass) {
    auto stepped = judge_steps(session, plain, decoded);
    stepped.figures = std::move(out.figures);
    out = std::move(stepped);
  }
  if (out.status == Status::Pass && plain.emulated) {
    out.reason =
        "emulated: experts computed in float32 and rounded, since MLX's CPU "
        "backend has no kernel for them in bfloat16";
  }
  return out;
}

}  // namespace

Check dtype_check() {
  Check out;
  out.name = "dtype";
  out.about = "a bfloat16 model stays bfloat16, inside too";
  out.copies = 6;
  out.run = check_dtype;
  return out;
}

}  // namespace portwright::verify
