#include "emit/gaps.h"

#include <fmt/format.h>

#include "base/digest.h"
#include "emit/model_writer.h"
#include "emit/variants.h"

namespace portwright::emit {

using eval::Value;
using nlohmann::ordered_json;

namespace {

std::string construct_of(const diagnostics::Diagnostic& hole) {
  return hole.construct.empty() ? std::string(hole.span.text())
                                : hole.construct;
}

/// What a hole stands for, wherever it has moved and however it is laid out.
std::string identity(
    const std::string& class_name,
    const diagnostics::Diagnostic& hole) {
  std::string words = class_name + ":";
  for (char c : construct_of(hole)) {
    if (!std::isspace(static_cast<unsigned char>(c))) {
      words += c;
    }
  }
  return base::digest_of(words).substr(0, 12);
}

std::string refusal(const std::string& id) {
  return "raise NotImplementedError(\"hole " + id + "\")";
}

/// Batch, length and keys by their letters, the rest as numbers.
std::string shape_of(const Context& context, ValueId id) {
  const Evaluation& e = context.evaluation;
  std::string out;
  for (const int64_t n : context.trace.info(id).shape) {
    out += out.empty() ? "" : ", ";
    out += n == e.batch               ? "B"
           : n == e.length            ? "L"
           : n == e.offset + e.length ? "S"
                                      : std::to_string(n);
  }
  return "(" + out + ")";
}

std::string_view role_of(const Context& context, ValueId id) {
  switch (context.flows.of(id)) {
    case lift::Flow::Constant:
      return "constant";
    case lift::Flow::Parameter:
      return "weights";
    case lift::Flow::Position:
      return "of positions";
    case lift::Flow::Mask:
      return "mask";
    case lift::Flow::Data:
      break;
  }
  return "hidden states";
}

ordered_json tensors(const Context& context, const std::vector<ValueId>& ids) {
  auto out = ordered_json::array();
  for (ValueId id : ids) {
    const auto& names = context.trace.info(id).names;
    out.push_back(
        {{"name", names.empty() ? "" : names.front().str()},
         {"shape", shape_of(context, id)},
         {"is", role_of(context, id)}});
  }
  return out;
}

ordered_json source_of(const base::Span& span) {
  if (!span) {
    return nullptr;
  }
  return {
      {"file", span.file->path()},
      {"first_line", span.file->position(span.begin).line},
      {"last_line", span.file->position(span.end).line},
      {"text", span.text()}};
}

ordered_json weights_below(const Context& context, const std::string& path) {
  auto out = ordered_json::object();
  const std::string prefix = path.empty() ? "" : path + ".";
  for (ValueId id = 1; id < context.trace.values.size(); ++id) {
    const auto& info = context.trace.info(id);
    if (!info.parameter.empty() && info.parameter.starts_with(prefix)) {
      out[info.parameter.substr(prefix.size())] = info.shape;
    }
  }
  return out;
}

/// What can be told of __init__: submodules, parameters, scalars.
void make_members(ModuleWriter& w, const Frame& frame) {
  Context& context = w.context();
  const auto attempt = [](const auto& make) {
    try {
      make();
    } catch (const Hole&) {
      return;  // the filling makes it
    }
  };
  for (const auto& [name, v] : frame.module.object()->attrs->entries()) {
    if (v.is_int() || v.is_float()) {
      attempt([&, attribute = house_attribute(name.str()), scalar = v] {
        if (scalar.provenance()) {
          w.initialise(attribute, context.args_text(scalar));
        }
      });
    }
  }
  for (const Frame* call : w.graph().calls) {
    if (call->path.starts_with(frame.path + ".")) {
      attempt([&] {
        w.member(
            call->path.substr(frame.path.size() + 1),
            constructor_or_gap(context, *call, call->outputs));
      });
    }
  }
  w.make_own_parameters();
}

/// What an attempt that failed has left behind goes.
class Attempt {
 public:
  explicit Attempt(Context& context)
      : context_(context),
        classes_(context.classes.size()),
        holes_(context.holes.size()),
        gaps_(context.gaps.size()) {}

  void undo() const {
    context_.classes.resize(classes_);
    context_.holes.erase(context_.holes.begin() + holes_, context_.holes.end());
    context_.gaps.erase(context_.gaps.begin() + gaps_, context_.gaps.end());
  }

 private:
  Context& context_;
  const size_t classes_;
  const std::ptrdiff_t holes_, gaps_;
};

ClassText plain_stub(const Context& context, const Frame& frame) {
  ClassText out;
  out.name = context.short_name(frame.module.object()->cls->name);
  out.init_params = {"args: ModelArgs"};
  out.call_params = {
      "x: mx.array",
      "mask: Optional[mx.array] = None",
      "cache: Optional[Any] = None"};
  out.frame = &frame;
  return out;
}

ClassText stub_of(
    Context& context,
    const Frame& frame,
    const std::vector<ValueId>& outputs) {
  const Attempt attempt(context);
  ClassText out = plain_stub(context, frame);
  try {
    ModuleWriter w(context, frame);
    make_members(w, frame);
    out = w.take(out.name);
  } catch (const Hole&) {
    attempt.undo();
  }
  out.returns_tensor = outputs.size() == 1;
  return out;
}

}  // namespace

std::string constructor_or_gap(
    Context& context,
    const Frame& call,
    const std::vector<ValueId>& outputs) {
  const Attempt attempt(context);
  try {
    return constructor_of(context, call, outputs);
  } catch (const Hole& hole) {
    attempt.undo();
    ClassText stub = stub_of(context, call, outputs);
    // Instances of a class are one class of the file, and one hole.
    const auto known = std::find_if(
        context.gaps.begin(), context.gaps.end(), [&](const Gap& gap) {
          return gap.frame &&
                 gap.frame->module.object()->cls == call.module.object()->cls;
        });
    const std::string id = known == context.gaps.end()
                               ? identity(stub.name, hole.diagnostic)
                               : known->id;
    stub.call = {refusal(id)};
    const std::string made = stub.name + "(args" + kIndexMark + ")";
    context.classes.push_back(std::move(stub));
    context.holes.push_back(hole.diagnostic);
    context.gaps.push_back({id, hole.diagnostic, &call, outputs});
    return made;
  }
}

ClassText model_stub(Context& context, const diagnostics::Diagnostic& hole) {
  const std::string id = identity("Model", hole);
  ClassText out;
  out.name = "Model";
  out.init_params = {"args: ModelArgs"};
  out.init = {
      "self.args = args", "self.model_type = args.model_type", refusal(id)};
  out.call_params = {
      "inputs: mx.array",
      "cache=None",
      "input_embeddings: Optional[mx.array] = None"};
  out.call = {refusal(id)};
  out.methods = {"@property\ndef layers(self):\n    " + refusal(id) + "\n"};
  const Frame* root = nullptr;
  for_each_module(
      context.trace.root, [&](const Frame& f) { root = root ? root : &f; });
  context.gaps.push_back({id, hole, root, {}});
  return out;
}

std::vector<ClassText> one_of_each(
    Context& context,
    const diagnostics::Diagnostic& hole) {
  std::vector<ClassText> out;
  std::string differs;
  for (const ClassText& c : context.classes) {
    const bool known = std::any_of(out.begin(), out.end(), [&](const auto& o) {
      return o.name == c.name;
    });
    if (!known) {
      out.push_back(c);
    }
    if (c.frame && hole.span && c.frame->call.begin == hole.span.begin) {
      differs = c.name;
    }
  }
  pass_layer_index(out);
  for (ClassText& c : out) {
    if (c.name == differs && c.frame) {
      const std::string id = identity(c.name, hole);
      c.call = {refusal(id)};
      c.methods.clear();
      context.gaps.push_back({id, hole, c.frame, c.frame->outputs});
    }
  }
  return out;
}

std::vector<Task> tasks_of(const Context& context) {
  std::vector<Task> out;
  std::set<std::string> known;
  for (const Gap& gap : context.gaps) {
    if (!known.insert(gap.id).second) {
      continue;
    }
    std::string name = "Model";
    for (const ClassText& c : context.classes) {
      name = c.frame && c.frame == gap.frame ? c.name : name;
    }
    auto used = ordered_json::array();
    for (const ClassText& c : context.classes) {
      const bool makes =
          std::any_of(c.init.begin(), c.init.end(), [&](const auto& line) {
            return line.find(" " + name + "(") != std::string::npos ||
                   line.find("[" + name + "(") != std::string::npos;
          });
      if (makes && std::find(used.begin(), used.end(), c.name) == used.end()) {
        used.push_back(c.name);
      }
    }
    ordered_json told = {
        {"id", gap.id},
        {"class", name},
        {"used_in", used},
        {"reason", gap.hole.message},
        {"construct", construct_of(gap.hole)}};
    if (gap.frame) {
      told["module"] = gap.frame->path;
      told["source"] = source_of(gap.frame->module.object()->cls->span);
      told["construct_at"] = base::to_string(gap.hole.span);
      told["given"] = tensors(context, gap.frame->inputs);
      told["answers"] = tensors(
          context, gap.outputs.empty() ? gap.frame->outputs : gap.outputs);
      told["weights"] = weights_below(context, gap.frame->path);
    }
    out.push_back({gap.id, name, std::move(told)});
  }
  return out;
}

}  // namespace portwright::emit
