#include "lift/print.h"

#include <cmath>
#include <filesystem>
#include <set>

#include "lift/affine.h"
#include "lift/experts.h"
#include "lift/idioms.h"
#include "lift/norm.h"
#include "trace/print.h"

namespace portwright::lift {

namespace {

std::string words(const Norm& norm) {
  const char* const kNames[] = {
      "rms_norm",
      "rms_norm (1 + weight)",
      "rms_norm (no weight)",
      "layer_norm"};
  return fmt::format(
      "{} of {}, eps {}",
      kNames[static_cast<int>(norm.kind)],
      norm.dims,
      norm.eps.as_double());
}

std::string words(const Experts& e) {
  const char* const kActivations[] = {
      "swiglu", "swiglu_oai", "relu2", "gelu", "gelu_approx", "silu", "relu"};
  return fmt::format(
      "{} experts, {} -> {}, {}",
      e.experts,
      e.hidden_size,
      e.intermediate,
      e.activation == Experts::Activation::Other
          ? "an activation of its own"
          : kActivations[static_cast<int>(e.activation)]);
}

std::string words(const Rope& rope) {
  const auto& f = rope.rotation.frequencies;
  return fmt::format(
      "dims={}, {}, frequencies {:.4g} to {:.4g}{}{}",
      rope.dims,
      rope.traditional ? "neighbours" : "halves",
      f.front(),
      f.back(),
      std::abs(rope.rotation.magnitude - 1) < 1e-6
          ? ""
          : fmt::format(", magnitude {:.6g}", rope.rotation.magnitude),
      rope.steady ? "" : ", by the sequence's length");
}

/// "modeling_x.py:12"
std::string place(const base::Span& span) {
  const std::string text = base::to_string(span);
  return std::filesystem::path(text).filename().string();
}

class Printer {
 public:
  Printer(
      eval::Interpreter& interp,
      const Trace& trace,
      const Flows& flows,
      ValueId positions)
      : interp_(interp), trace_(trace), flows_(flows), positions_(positions) {}

  std::string run() {
    each_module(trace_.root, [&](const Frame& f) {
      module(f, {f.outputs.begin(), f.outputs.end()}, 0);
    });
    return std::move(out_);
  }

 private:
  void line(int depth, const std::string& text) {
    out_.append(static_cast<size_t>(depth) * 2, ' ').append(text).append("\n");
  }

  std::string name(ValueId id) const {
    return trace::value_text(trace_, id);
  }

  std::string names(const std::vector<ValueId>& ids) const {
    std::vector<std::string> out;
    for (ValueId id : ids) {
      out.push_back(name(id));
    }
    return fmt::format("{}", fmt::join(out, ", "));
  }

  static void each_module(
      const Frame& frame,
      const std::function<void(const Frame&)>& visit) {
    for (const auto& item : frame.items) {
      if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        (*child)->is_module() ? visit(**child) : each_module(**child, visit);
      }
    }
  }

  /// What the module is as a whole; "" where it is its own forward.
  std::string whole(const Frame& f) {
    if (const auto norm = lift_norm(interp_, trace_, flows_, f)) {
      return words(*norm);
    }
    if (const auto experts = lift_experts(interp_, trace_, f)) {
      return words(*experts);
    }
    switch (lift_affine(interp_, f.module)) {
      case Affine::Linear:
        return "x W^T";
      case Affine::Transposed:
        return "x W";
      case Affine::None:
        break;
    }
    return "";
  }

  /// `wanted`: what is read of its answer, among others.
  void module(const Frame& f, const std::set<ValueId>& wanted, int depth) {
    const std::string idiom = whole(f);
    line(
        depth,
        fmt::format(
            "{}{}({}) -> {}{}{}  # {}",
            f.path.empty() ? "" : f.path + ": ",
            f.module.object()->cls->name,
            names(f.inputs),
            names(f.outputs),
            idiom.empty() ? "" : " = ",
            idiom,
            place(f.call)));
    if (idiom.empty()) {
      forward(f, wanted, depth + 1);
    }
  }

  void forward(const Frame& f, const std::set<ValueId>& wanted, int depth) {
    const Graph graph = make_graph(trace_, f);
    const Idioms idioms =
        find_idioms(interp_, trace_, flows_, graph, positions_);
    const std::set<ValueId> live = live_values(f, wanted, graph, idioms);
    body(f, graph, idioms, live, depth);
  }

  static const Attention* attention_of(const Idioms& idioms, ValueId id) {
    for (const Attention& a : idioms.attentions) {
      if (a.output == id) {
        return &a;
      }
    }
    return nullptr;
  }

  static std::vector<ValueId>
  inputs(const Graph& graph, const Idioms& idioms, ValueId id) {
    if (const auto* a = attention_of(idioms, id)) {
      std::vector<ValueId> out{a->queries, a->keys, a->values};
      out.insert(out.end(), a->biases.begin(), a->biases.end());
      return out;
    }
    if (const auto r = idioms.ropes.find(id); r != idioms.ropes.end()) {
      return {r->second.input};
    }
    if (const auto* u = idioms.update_of(id)) {
      return {u->keys, u->values};
    }
    return inputs_of(idioms, graph, id);
  }

  /// What the outputs are computed from, seen through the idioms.
  static std::set<ValueId> live_values(
      const Frame& f,
      const std::set<ValueId>& wanted,
      const Graph& graph,
      const Idioms& idioms) {
    std::set<ValueId> out;
    std::vector<ValueId> pending(f.outputs);
    std::erase_if(pending, [&](ValueId id) { return !wanted.contains(id); });
    while (!pending.empty()) {
      const ValueId id = pending.back();
      pending.pop_back();
      if (out.insert(id).second) {
        for (ValueId input : inputs(graph, idioms, id)) {
          pending.push_back(input);
        }
      }
    }
    return out;
  }

  std::string attention_text(const Attention& a) const {
    std::string text = fmt::format(
        "attention({}, {}, {}, scale={:.6g}",
        name(a.queries),
        name(a.keys),
        name(a.values),
        a.scale_value());
    if (!a.biases.empty()) {
      text += ", mask=" + names(a.biases);
    }
    if (a.sinks) {
      text += ", sinks=" + name(a.sinks);
    }
    if (a.softcap.defined()) {
      text += fmt::format(", softcap={:.6g}", a.softcap.as_double());
    }
    return text + ")";
  }

  /// An idiom stands where its output was made.
  void op(
      const OpNode& node,
      const Idioms& idioms,
      const std::set<ValueId>& live,
      int depth) {
    const bool used =
        std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
          return live.contains(id);
        });
    if (!used || node.outputs == node.inputs) {
      return;
    }
    const ValueId id = node.outputs.front();
    if (const auto* a = attention_of(idioms, id)) {
      line(depth, name(id) + " = " + attention_text(*a));
    } else if (const auto r = idioms.ropes.find(id); r != idioms.ropes.end()) {
      line(
          depth,
          fmt::format(
              "{} = rope({}, {})",
              name(id),
              name(r->second.input),
              words(r->second)));
    } else {
      line(depth, trace::op_text(trace_, node));
    }
  }

  void body(
      const Frame& f,
      const Graph& graph,
      const Idioms& idioms,
      const std::set<ValueId>& live,
      int depth) {
    for (const auto& item : f.items) {
      if (const auto* node = std::get_if<OpNode>(&item)) {
        op(*node, idioms, live, depth);
        continue;
      }
      const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
      if (!child) {
        continue;
      }
      const Frame& called = **child;
      if (std::find(graph.calls.begin(), graph.calls.end(), &called) !=
          graph.calls.end()) {
        module(called, live, depth);
      } else if (
          !called.outputs.empty() && idioms.update_of(called.outputs.front())) {
        line(
            depth,
            fmt::format(
                "{} = cache.update({})",
                names(called.outputs),
                names(called.inputs)));
      } else if (is_mask_function(called)) {
        line(
            depth,
            fmt::format(
                "{} = {}(...)", names(called.outputs), called.function->name));
      } else {
        body(called, graph, idioms, live, depth);
      }
    }
  }

  eval::Interpreter& interp_;
  const Trace& trace_;
  const Flows& flows_;
  ValueId positions_;
  std::string out_;
};

}  // namespace

std::string print(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    ValueId positions) {
  return Printer(interp, trace, flows, positions).run();
}

}  // namespace portwright::lift
