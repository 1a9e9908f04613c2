#include "lift/graph.h"

#include <functional>

#include "eval/code.h"
#include "lift/step.h"

namespace portwright::lift {

Flows::Flows(const Trace& trace, ValueId ids, ValueId positions, ValueId mask)
    : flows_(trace.values.size(), Flow::Constant), mask_(mask) {
  for (ValueId id = 1; id < trace.values.size(); ++id) {
    const auto& info = trace.info(id);
    const auto* tensor = torch::as_tensor(info.tensor);
    if (!info.parameter.empty() && tensor && tensor->is_parameter) {
      flows_[id] = Flow::Parameter;
    }
  }
  flows_[ids] = Flow::Data;
  flows_[positions] = Flow::Position;
  flows_[mask] = Flow::Mask;
  flows_[0] = Flow::Constant;
  visit(trace.root);
}

void Flows::visit(const Frame& frame) {
  for (const auto& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if (is_step(**child)) {  // what it is given comes from elsewhere
        for (ValueId id : (*child)->outputs) {
          flows_[id] = id ? std::max(flows_[id], Flow::Data) : flows_[id];
        }
      }
      visit(**child);
      if (is_mask_function(**child)) {
        for (ValueId id : (*child)->outputs) {
          flows_[id] = Flow::Mask;
        }
      }
    } else if (const auto* node = std::get_if<OpNode>(&item)) {
      Flow strongest = Flow::Constant;
      for (ValueId id : node->inputs) {
        strongest = std::max(strongest, flows_[id]);
      }
      for (ValueId id : node->outputs) {
        flows_[id] = std::max(flows_[id], strongest);
      }
    }
  }
}

bool is_mask_function(const Frame& frame) {
  return frame.function && !frame.is_module() &&
         (frame.module_name() == "transformers.masking_utils" ||
          (frame.module_name() == "portwright.running" &&
           frame.function->name == "create_causal_mask"));
}

bool is_cache_update(const Frame& frame) {
  return frame.function && !frame.is_module() &&
         frame.module_name() == "transformers.cache_utils" &&
         frame.function->name == "update";
}

bool is_kept_by_cache(const Frame& frame) {
  return frame.function && !frame.is_module() &&
         (frame.module_name() == "transformers.cache_utils" ||
          frame.module_name() == "portwright.running");
}

bool is_state_update(const Frame& frame) {
  return is_kept_by_cache(frame) &&
         (frame.function->name == "update_conv_state" ||
          frame.function->name == "update_recurrent_state");
}

bool is_index_update(const Frame& frame) {
  return frame.function && !frame.is_module() &&
         frame.module_name() == "transformers.cache_utils" &&
         frame.function->name == "update_indexer";
}

namespace {

/// True for the frame of some call inside.
bool any_call(
    const Frame& frame,
    const std::function<bool(const Frame&)>& wanted) {
  return std::any_of(
      frame.items.begin(), frame.items.end(), [&](const auto& item) {
        const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
        return child && (wanted(**child) || any_call(**child, wanted));
      });
}

}  // namespace

bool keeps_state(const Frame& frame) {
  return any_call(frame, is_state_update);
}

bool updates_keys(const Frame& frame) {
  return any_call(frame, is_cache_update);
}

bool updates_index(const Frame& frame) {
  return any_call(frame, is_index_update);
}

bool uses_cache(const Frame& frame) {
  return keeps_state(frame) || updates_keys(frame) || updates_index(frame);
}

bool has_parameters(const Trace& trace, const std::string& path) {
  const std::string start = path.empty() ? "" : path + ".";
  return std::any_of(
      trace.values.begin(), trace.values.end(), [&](const auto& info) {
        const auto* tensor = info.parameter.starts_with(start)
                                 ? torch::as_tensor(info.tensor)
                                 : nullptr;
        return tensor && tensor->is_parameter;
      });
}

namespace {

/// An embedding that does more than look rows up: its caller writes that out.
bool is_dressed_embedding(const Frame& frame) {
  size_t ops = 0;
  bool looks_up = false;
  std::function<void(const Frame&)> count = [&](const Frame& f) {
    for (const auto& item : f.items) {
      if (const auto* node = std::get_if<OpNode>(&item)) {
        ++ops;
        looks_up = looks_up || node->op->name == "embedding";
      } else if (
          const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        count(**child);
      }
    }
  };
  count(frame);
  return looks_up && ops > 1 && ops < 8;
}

/// A router whose weights are those of one linear layer: its caller holds that
/// layer and uses what it hands out.
bool is_dressed_linear(const Trace& trace, const Frame& frame) {
  if (frame.outputs.size() < 2 || uses_cache(frame)) {
    return false;
  }
  const std::string prefix = frame.path + ".";
  for (const auto& info : trace.values) {
    if (info.parameter.starts_with(prefix) &&
        info.parameter != prefix + "weight" &&
        info.parameter != prefix + "bias") {
      return false;
    }
  }
  for (const auto& item : frame.items) {
    const auto* node = std::get_if<OpNode>(&item);
    if (node && node->op->name == "linear") {
      return trace.info(node->inputs[1]).parameter == prefix + "weight";
    }
  }
  return false;
}

/// A container of torch's own, as nn.Sequential: it has no class in the port.
bool is_container(const Frame& frame) {
  return frame.function && frame.function->globals &&
         frame.function->globals->file.starts_with("<portwright>") &&
         std::any_of(
             frame.items.begin(), frame.items.end(), [](const auto& item) {
               const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
               return child && (*child)->is_module();
             });
}

void flatten(const Trace& trace, const Frame& frame, Graph& graph) {
  for (const auto& item : frame.items) {
    if (const auto* node = std::get_if<OpNode>(&item)) {
      graph.ops.push_back(node);
      for (size_t i = 0; i < node->outputs.size(); ++i) {
        const ValueId id = node->outputs[i];
        const bool passed_through =
            std::find(node->inputs.begin(), node->inputs.end(), id) !=
            node->inputs.end();
        if (!passed_through) {
          graph.producers[id] = {node, nullptr, i};
        }
      }
      for (ValueId id : node->inputs) {
        graph.users[id].push_back(node);
      }
      continue;
    }
    const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
    if (!child) {
      continue;
    }
    const Frame& f = **child;
    const bool opened =
        f.is_module() &&
        (!has_parameters(trace, f.path) || is_dressed_linear(trace, f) ||
         is_dressed_embedding(f) || is_container(f));
    if (f.is_module() && !opened) {
      graph.calls.push_back(&f);
      for (size_t i = 0; i < f.outputs.size(); ++i) {
        // A submodule may hand on what it was given.
        if (std::find(f.inputs.begin(), f.inputs.end(), f.outputs[i]) ==
            f.inputs.end()) {
          graph.producers[f.outputs[i]] = {nullptr, &f, i};
        }
      }
      continue;
    }
    graph.functions.push_back(&f);
    flatten(trace, f, graph);
  }
}

}  // namespace

Graph make_graph(const Trace& trace, const Frame& frame) {
  Graph graph;
  graph.frame = &frame;
  flatten(trace, frame, graph);
  return graph;
}

}  // namespace portwright::lift
