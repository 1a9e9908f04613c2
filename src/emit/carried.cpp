#include "emit/carried.h"

#include <algorithm>
#include <map>
#include <optional>

#include "emit/model_writer.h"

namespace portwright::emit {

namespace {

/// "self_attn" of "model.layers.3.self_attn"; nothing outside of layers.
std::optional<std::string> below_layer(
    const Context& context,
    const std::string& path) {
  const std::string list = context.layers_path + ".";
  if (list.size() == 1 || !path.starts_with(list)) {
    return {};
  }
  const size_t dot = path.find('.', list.size());
  return dot == std::string::npos ? "" : path.substr(dot + 1);
}

bool is_inside(const Frame* frame, const Frame& outer) {
  while (frame && frame != &outer) {
    frame = frame->parent;
  }
  return frame;
}

/// Where a layer makes or reads a value: the calls on the way, and an operand
/// or output of an operation.
std::string
place_of(const Frame* frame, const Frame& layer, base::Span at, size_t index) {
  const auto text = [](base::Span span) {
    return std::to_string(span.begin) + "-" + std::to_string(span.end) + ",";
  };
  std::string out = std::to_string(index) + "," + text(at);
  for (; frame != &layer; frame = frame->parent) {
    out += text(frame->call);
  }
  return out;
}

/// Calls `visit` for every operation inside, with the frame that has it.
void for_each_op(
    const Frame& frame,
    const std::function<void(const Frame&, const OpNode&)>& visit) {
  for (const auto& item : frame.items) {
    if (const auto* op = std::get_if<OpNode>(&item)) {
      visit(frame, *op);
    } else if (const auto* f = std::get_if<std::unique_ptr<Frame>>(&item)) {
      for_each_op(**f, visit);
    }
  }
}

/// One variable while it is found.
struct Variable {
  std::set<std::string> made, read;  // places
  std::set<ValueId> ids;

  bool shares(const Variable& other) const {
    const auto any = [](const auto& a, const auto& b) {
      return std::any_of(
          a.begin(), a.end(), [&](const auto& x) { return b.contains(x); });
    };
    return any(made, other.made) || any(read, other.read);
  }
  void join(Variable& other) {
    made.merge(other.made);
    read.merge(other.read);
    ids.merge(other.ids);
  }
};

class Finder {
 public:
  Finder(Context& context, const std::vector<const Frame*>& layers)
      : context_(context), layers_(layers) {}

  std::vector<Carried> find() {
    for (size_t k = 1; k < layers_.size(); ++k) {
      for (ValueId id : layers_[k]->inputs) {
        const auto& answered = layers_[k - 1]->outputs;
        const auto at = std::find(answered.begin(), answered.end(), id);
        if (at != answered.end() && crosses(id, k)) {
          add(id, "output " + std::to_string(at - answered.begin()));
        }
      }
      for_each_op(*layers_[k], [&](const Frame& frame, const OpNode& op) {
        for (size_t i = 0; i < op.inputs.size(); ++i) {
          if (crosses(op.inputs[i], k)) {
            add(op.inputs[i], place_of(&frame, *layers_[k], op.span, i));
          }
        }
      });
    }
    std::vector<Carried> out;
    for (const Variable& v : variables_) {
      out.push_back(carried(v));
    }
    return out;
  }

 private:
  /// The layer before the k-th that makes a value; none for other values.
  const Frame* maker(ValueId id, size_t k) const {
    const Frame* made = context_.trace.info(id).frame;
    const auto at = std::find_if(
        layers_.begin(),
        layers_.begin() + static_cast<std::ptrdiff_t>(k),
        [&](const Frame* layer) { return is_inside(made, *layer); });
    return at - layers_.begin() == static_cast<std::ptrdiff_t>(k) ? nullptr
                                                                  : *at;
  }

  bool crosses(ValueId id, size_t k) const {
    const Frame* layer = maker(id, k);
    return layer && context_.flows.of(id) == lift::Flow::Data &&
           id != layer->outputs.front() && !context_.shared_keys.holds(id) &&
           context_.trace.info(id).producer;
  }

  std::string place_made(ValueId id, const Frame& layer) const {
    const auto& info = context_.trace.info(id);
    const auto& outputs = info.producer->outputs;
    const auto index =
        std::find(outputs.begin(), outputs.end(), id) - outputs.begin();
    return place_of(info.frame, layer, info.producer->span, index);
  }

  void add(ValueId id, const std::string& read) {
    Variable found{{place_made(id, *maker(id, layers_.size()))}, {read}, {id}};
    std::erase_if(variables_, [&](Variable& known) {
      const bool same = known.shares(found);
      if (same) {
        found.join(known);
      }
      return same;
    });
    variables_.push_back(std::move(found));
  }

  /// ... of what all layers make in these places.
  Carried carried(const Variable& variable) {
    Carried out;
    const size_t last_reader = last_reader_of(variable);
    ValueId value = 0;
    bool all_read = true;  // of what layers make in these places so far
    for (size_t k = 0; k < layers_.size(); ++k) {
      check_reads(variable, *layers_[k], value);
      ValueId made = made_by(variable, *layers_[k]);
      if (made && !variable.ids.contains(made)) {
        all_read = all_read && k >= last_reader;
        made = all_read ? made : 0;
      }
      out.around[layers_[k]] = {value, made ? made : value};
      value = out.around[layers_[k]].second;
      if (made) {
        out.ids.insert(made);
      }
    }
    find_takers(out);
    name(out);
    return out;
  }

  ValueId made_by(const Variable& variable, const Frame& layer) {
    ValueId made = 0;
    for_each_op(layer, [&](const Frame& frame, const OpNode& op) {
      for (size_t i = 0; i < op.outputs.size(); ++i) {
        if (!variable.made.contains(place_of(&frame, layer, op.span, i))) {
          continue;
        }
        if (made && made != op.outputs[i]) {
          hole(layer, "makes what others read more than once");
        }
        made = op.outputs[i];
      }
    });
    return made;
  }

  /// The values of the variable that a layer reads and has not made.
  std::set<ValueId> read_by(const Variable& variable, const Frame& layer)
      const {
    std::set<ValueId> out;
    for_each_op(layer, [&](const Frame&, const OpNode& op) {
      for (ValueId id : op.inputs) {
        if (variable.ids.contains(id) &&
            !is_inside(context_.trace.info(id).frame, layer)) {
          out.insert(id);
        }
      }
    });
    return out;
  }

  size_t last_reader_of(const Variable& variable) const {
    size_t k = layers_.size() - 1;
    while (k > 0 && read_by(variable, *layers_[k]).empty()) {
      --k;
    }
    return k;
  }

  void
  check_reads(const Variable& variable, const Frame& layer, ValueId value) {
    for (ValueId id : read_by(variable, layer)) {
      if (id != value) {
        hole(layer, "reads what a layer before the last has made");
      }
    }
  }

  [[noreturn]] void hole(const Frame& layer, const std::string& what) {
    context_.hole(layer.call, "'" + layer.path + "' " + what);
  }

  void find_takers(Carried& out) {
    out.takers.insert("");
    out.givers.insert("");
    for (const Frame* layer : layers_) {
      for_each_op(*layer, [&](const Frame& frame, const OpNode& op) {
        for (ValueId id : op.inputs) {
          for (const Frame* f = out.holds(id) ? &frame : layer; f != layer;
               f = f->parent) {
            if (f->is_module() &&
                !is_inside(context_.trace.info(id).frame, *f)) {
              out.takers.insert(*below_layer(context_, f->path));
            }
          }
        }
      });
    }
    for (const Frame* layer : layers_) {
      for_each_module(*layer, [&](const Frame& f) {
        for (ValueId id : out.ids) {
          if (is_argument(f, id)) {
            out.takers.insert(*below_layer(context_, f.path));
          }
        }
      });
    }
    for (ValueId id : out.ids) {
      for (const Frame* f = context_.trace.info(id).frame; f->parent;
           f = f->parent) {
        const auto path = below_layer(context_, f->path);
        if (f->is_module() && path && f->outputs.front() != id) {
          out.givers.insert(*path);
        }
      }
    }
    // What does not make it in every layer hands on what it was given.
    for (const Frame* layer : layers_) {
      for_each_module(*layer, [&](const Frame& f) {
        const std::string path = *below_layer(context_, f.path);
        if (out.givers.contains(path) && !made_inside(context_, f, out)) {
          out.takers.insert(path);
        }
      });
    }
  }

  /// True for a tensor that is a parameter by itself.
  bool is_argument(const Frame& f, ValueId id) const {
    const auto* tensor = context_.trace.info(id).tensor.object();
    return std::any_of(f.args.begin(), f.args.end(), [&](const auto& arg) {
      return arg.is_object() && arg.object() == tensor;
    });
  }

  void name(Carried& out) {
    std::optional<base::Symbol> source;
    for (ValueId id : out.ids) {
      const auto& names = context_.trace.info(id).names;
      source = source || names.empty() ? source : names.front();
    }
    out.name = source ? house_name(source->str()) : "carried";
    if (!source || !is_taken(out, *source)) {
      return;
    }
    out.apart = true;
    out.name = (out.ids.size() > 1 ? "last_" : "first_") + out.name;
  }

  /// True where a forward that is given the variable, and hands it on as it is,
  /// has another value of that name.
  bool is_taken(const Carried& out, base::Symbol source) {
    bool taken = false;
    for (const auto& [layer, values] : out.around) {
      if (values.first != values.second) {
        continue;
      }
      for_each_op(*layer, [&](const Frame& frame, const OpNode& op) {
        const std::string& path = module_around(&frame)->path;
        if (!out.takers.contains(*below_layer(context_, path))) {
          return;
        }
        for (ValueId id : op.outputs) {
          const auto& names = context_.trace.info(id).names;
          taken = taken ||
                  std::find(names.begin(), names.end(), source) != names.end();
        }
      });
    }
    return taken;
  }

  Context& context_;
  const std::vector<const Frame*>& layers_;
  std::vector<Variable> variables_;
};

std::vector<const Carried*> of_module(
    const Context& context,
    const Frame& frame,
    std::set<std::string> Carried::*modules) {
  std::vector<const Carried*> out;
  const auto path =
      frame.is_module() ? below_layer(context, frame.path) : std::nullopt;
  for (const Carried& carried : context.carried) {
    if (path && (carried.*modules).contains(*path)) {
      out.push_back(&carried);
    }
  }
  return out;
}

}  // namespace

std::vector<Carried> find_carried(
    Context& context,
    const std::vector<const Frame*>& layers) {
  return Finder(context, layers).find();
}

const Carried* carried_of(const Context& context, ValueId id) {
  for (const Carried& carried : context.carried) {
    if (carried.holds(id)) {
      return &carried;
    }
  }
  return nullptr;
}

std::vector<const Carried*> taken_by(
    const Context& context,
    const Frame& frame) {
  return of_module(context, frame, &Carried::takers);
}

std::vector<const Carried*> given_by(
    const Context& context,
    const Frame& frame) {
  return of_module(context, frame, &Carried::givers);
}

ValueId made_inside(
    const Context& context,
    const Frame& frame,
    const Carried& carried) {
  for (ValueId id : carried.ids) {
    if (is_inside(context.trace.info(id).frame, frame)) {
      return id;
    }
  }
  return 0;
}

std::vector<ValueId> values_around(
    const Context& context,
    const Frame& frame,
    const Carried& carried) {
  const Frame* layer = &frame;
  while (!carried.around.contains(layer)) {
    layer = layer->parent;
  }
  const auto& [before, after] = carried.around.at(layer);
  std::vector<ValueId> out{before, after};
  std::erase_if(out, [&](ValueId id) {
    return !id || is_inside(context.trace.info(id).frame, frame);
  });
  return out;
}

}  // namespace portwright::emit
