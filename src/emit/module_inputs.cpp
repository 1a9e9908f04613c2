#include "emit/module_inputs.h"

#include "emit/model_writer.h"

namespace portwright::emit {

using lift::Flow;

bool is_handed(const Context& context, const Frame& frame, ValueId id) {
  const std::string& parameter = context.trace.info(id).parameter;
  const Flow flow = context.flows.of(id);
  if (is_given_keys(context, frame, id)) {
    return false;
  }
  return flow == Flow::Data ||
         (flow == Flow::Position && !attends(context, frame)) ||
         (frame.is_module() && !parameter.empty() &&
          !parameter.starts_with(frame.path + "."));
}

namespace {

/// True when an operation inside reads a value for which `wanted` holds.
bool reads_any(const Frame& frame, const std::function<bool(ValueId)>& wanted) {
  return std::any_of(
      frame.items.begin(), frame.items.end(), [&](const auto& item) {
        if (const auto* op = std::get_if<OpNode>(&item)) {
          return std::any_of(op->inputs.begin(), op->inputs.end(), wanted);
        }
        const auto* f = std::get_if<std::unique_ptr<Frame>>(&item);
        return f && reads_any(**f, wanted);
      });
}

/// The names of the parameters that take one tensor each.
std::map<ValueId, std::string> parameter_names(const Frame& frame) {
  std::map<ValueId, std::string> out;
  const auto& params = frame.function->code->signature.params;
  size_t next = 0;
  for (size_t i = 1; i < frame.args.size(); ++i) {
    if (torch::as_tensor(frame.args[i]) && i < params.size()) {
      out.emplace(frame.inputs[next], params[i].name.str());
    }
    next += trace::tensors_in(frame.args[i]).size();
  }
  return out;
}

/// The names of parameters that some forwards of the module's class are given
/// hidden states by, and others None.
std::set<std::string> optional_parameters(
    const Context& context,
    const Frame& frame) {
  std::set<std::string> out;
  const auto& params = frame.function->code->signature.params;
  for_each_module(context.trace.root, [&](const Frame& f) {
    for (size_t i = 1; i < f.args.size() && i < params.size(); ++i) {
      if (f.function.get() == frame.function.get() && f.args[i].is_none()) {
        out.insert(params[i].name.str());
      }
    }
  });
  return out;
}

}  // namespace

void ModuleWriter::classify_inputs() {
  // Layers that keep nothing are called like those that do.
  const bool layer = is_layer(context_, frame_);
  for (const Carried* carried : taken_) {
    for (ValueId id : values_around(context_, frame_, *carried)) {
      bind(id, carried->name);
    }
  }
  for (ValueId id : frame_.inputs) {
    if (!carried_of(context_, id) && is_handed(context_, frame_, id) &&
        frame_.is_module() &&
        !(layer && context_.flows.of(id) == Flow::Position) &&
        !is_unread(context_, frame_, id) &&
        std::find(data_inputs_.begin(), data_inputs_.end(), id) ==
            data_inputs_.end()) {
      data_inputs_.push_back(id);
    }
  }
  const auto rows = rows_given(context_, frame_);
  data_inputs_.insert(data_inputs_.end(), rows.begin(), rows.end());
  const bool cached = attends(context_, frame_);
  takes_shared_keys();
  takes_both_ = lift::keeps_state(frame_) && lift::updates_keys(frame_);
  const auto has_both = [](const Frame& f) {
    return lift::updates_keys(f) && lift::updates_index(f);
  };
  splits_cache_ =
      has_both(frame_) &&
      std::none_of(graph_.calls.begin(), graph_.calls.end(), [&](auto* call) {
        return has_both(*call);
      });
  takes_cache_ = cached || layer;
  takes_mask_ = cached ? uses_mask(context_, frame_) : layer;
  const auto parameters = frame_.is_module() ? parameter_names(frame_)
                                             : std::map<ValueId, std::string>{};
  const auto optional = parameters.size() > 1
                            ? optional_parameters(context_, frame_)
                            : std::set<std::string>{};
  bool first = true;
  for (ValueId id : data_inputs_) {
    const auto name = parameters.find(id);
    bind(
        id,
        first ? "x"
              : fresh(
                    name == parameters.end() ? house_of(id)
                                             : house_name(name->second)));
    if (!first && name != parameters.end() && optional.contains(name->second) &&
        context_.flows.of(id) == Flow::Data) {
      optional_inputs_.push_back(id);
    }
    first = false;
  }
  std::erase_if(data_inputs_, [&](ValueId id) {
    return std::find(optional_inputs_.begin(), optional_inputs_.end(), id) !=
           optional_inputs_.end();
  });
}

/// The module that attends takes another layer's keys apart, or hands on its
/// own; those around it hand on both as one.
void ModuleWriter::takes_shared_keys() {
  hands_keys_ = hands_keys(context_, frame_);
  if (!hands_keys_) {
    return;
  }
  used_names_.insert(SharedKeys::kName);
  const bool inside =
      std::any_of(graph_.calls.begin(), graph_.calls.end(), [&](auto* call) {
        return hands_keys(context_, *call);
      });
  if (inside) {
    return;
  }
  kept_keys_ = foreign_keys(context_, frame_);
  if (kept_keys_.first) {
    bind(kept_keys_.first, "keys");
    bind(kept_keys_.second, "values");
    open_with(std::string("keys, values = ") + SharedKeys::kName, "values");
    return;
  }
  const auto updates = lift::find_cache_updates(graph_);
  if (updates.size() != 1 || !updates[0].values) {
    context_.hole(
        frame_.call, "'" + frame_.path + "' keeps no keys that others share");
  }
  kept_keys_ = {updates[0].all_keys, updates[0].all_values};
}

bool ModuleWriter::takes(const Carried* carried) const {
  return std::find(taken_.begin(), taken_.end(), carried) != taken_.end();
}

/// True for what this forward makes, and hands on by another name.
bool ModuleWriter::is_saved(ValueId id) const {
  const Carried* carried = carried_of(context_, id);
  return carried && carried->apart && takes(carried) &&
         made_inside(context_, frame_, *carried) == id;
}

void ModuleWriter::save(ValueId id) {
  if (is_saved(id) && saved_.insert(carried_of(context_, id)).second) {
    statement(carried_of(context_, id)->name + " = " + names_.at(id));
  }
}

std::string ModuleWriter::given_text(const Carried& carried) {
  const ValueId id = made_inside(context_, frame_, carried);
  if (!id || saved_.contains(&carried)) {
    return carried.name;
  }
  const std::string text = converted(value(id), id, half_dtype(id)).text;
  return saved_.contains(&carried) ? carried.name : text;
}

/// Weights that other layers' modules of the class read, and this one has.
void ModuleWriter::keep_unread_parameters() {
  if (!frame_.path.starts_with(context_.layers_path + ".")) {
    return;
  }
  const std::string prefix = frame_.path + ".";
  std::vector<std::pair<std::string, ValueId>> unread;
  for (ValueId id = 1; id < context_.trace.values.size(); ++id) {
    const std::string& path = context_.trace.info(id).parameter;
    if (path.starts_with(prefix) && in_checkpoint(id) &&
        path.find('.', prefix.size()) == std::string::npos &&
        !reads_any(frame_, [&](ValueId v) { return v == id; })) {
      unread.emplace_back(path.substr(prefix.size()), id);
    }
  }
  for_each_module(context_.trace.root, [&](const Frame& f) {
    for (const auto& [name, id] : unread) {
      const bool alike = f.path != frame_.path &&
                         f.module.object()->cls == frame_.module.object()->cls;
      if (alike && reads_any(f, [&](ValueId v) {
            return context_.trace.info(v).parameter == f.path + "." + name;
          })) {
        parameter(id);
      }
    }
  });
}

void ModuleWriter::make_own_parameters() {
  const std::string prefix = frame_.path + ".";
  for (ValueId id = 1; id < context_.trace.values.size(); ++id) {
    const std::string& path = context_.trace.info(id).parameter;
    if (path.starts_with(prefix) && in_checkpoint(id) &&
        path.find('.', prefix.size()) == std::string::npos) {
      parameter(id);
    }
  }
}

/// True when it keeps keys itself, and submodules states.
bool ModuleWriter::splits_states() const {
  return takes_both_ &&
         std::none_of(graph_.calls.begin(), graph_.calls.end(), [](auto* call) {
           return lift::updates_keys(*call);
         });
}

std::map<ValueId, std::string> ModuleWriter::optional_inputs() const {
  std::map<ValueId, std::string> out;
  for (ValueId id : optional_inputs_) {
    out.emplace(id, names_.at(id));
  }
  return out;
}

}  // namespace portwright::emit
