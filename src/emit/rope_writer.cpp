#include <cmath>
#include <functional>
#include <set>

#include "emit/far_rotation.h"
#include "emit/guards.h"
#include "emit/operations.h"
#include "emit/rope_arguments.h"
#include "emit/rope_config.h"
#include "emit/rope_forms.h"
#include "emit/rope_sets.h"
#include "emit/yarn_magnitude.h"

namespace portwright::emit {

using eval::Value;

namespace {

bool same(const lift::Rope& a, const lift::Rope& b) {
  return a.dims == b.dims && a.traditional == b.traditional &&
         a.deinterleaved == b.deinterleaved && a.steady == b.steady &&
         agree(a.rotation, b.rotation);
}

/// The source makes frequencies with arange(0, dims, 2): its `dims` says which
/// fields it comes from.
const eval::Provenance* dims_provenance(const Frame& frame, int64_t dims) {
  for (const auto& item : frame.items) {
    if (const auto* op = std::get_if<OpNode>(&item)) {
      if (op->op->name == "arange") {
        for (const Value& arg : op->args) {
          if (arg.is_int() && arg.as_int() == dims && arg.provenance()) {
            return arg.provenance();
          }
        }
      }
    } else if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if (const auto* found = dims_provenance(**child, dims)) {
        return found;
      }
    }
  }
  return nullptr;
}

/// Of an integer that the operations of a module and of its functions are
/// given, alone or in a list.
const eval::Provenance* given_provenance(const Frame& frame, int64_t wanted) {
  const std::function<const eval::Provenance*(const Value&)> find =
      [&](const Value& value) -> const eval::Provenance* {
    if (value.is_int()) {
      return value.as_int() == wanted ? value.provenance() : nullptr;
    }
    if (value.is(eval::Kind::List) || value.is(eval::Kind::Tuple)) {
      for (const Value& item : value.is(eval::Kind::List)
                                   ? value.get<eval::List>()->items
                                   : value.get<eval::Tuple>()->items) {
        if (const auto* found = find(item)) {
          return found;
        }
      }
    }
    return nullptr;
  };
  for (const auto& item : frame.items) {
    const eval::Provenance* found = nullptr;
    if (const auto* op = std::get_if<OpNode>(&item)) {
      for (size_t i = 0; i < op->args.size() && !found; ++i) {
        found = op->op->name == "split" ? find(op->args[i]) : nullptr;
      }
    } else if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
               child && !(*child)->is_module()) {
      found = given_provenance(**child, wanted);
    }
    if (found) {
      return found;
    }
  }
  return nullptr;
}

/// How many dimensions are rotated, in terms of ModelArgs.
std::string dims_text(
    ModuleWriter& writer,
    const lift::Rope& rope,
    const eval::Provenance* provenance) {
  Context& context = writer.context();
  if (const auto told = provenance ? writer.told_text(provenance) : "";
      !told.empty()) {
    return told;
  }
  // Where the source spells no number, all that the heads have.
  const auto& shape = context.trace.info(rope.input).shape;
  if (shape.back() == rope.dims) {
    const Value told = writer.told(rope.input, shape.size() - 1);
    const auto text = told.defined() && told.provenance()
                          ? writer.told_text(told.provenance())
                          : "";
    if (!text.empty()) {
      return text;
    }
  }
  return context.args_text(Value::integer(rope.dims));
}

int64_t layer_of(const Context& context, const Frame& frame) {
  const std::string prefix = context.layers_path + ".";
  return frame.path.starts_with(prefix)
             ? std::atoll(frame.path.c_str() + prefix.size())
             : -1;
}

/// How the emitted file makes a rotation.
struct Maker {
  enum class Form {
    Shared,  // initialize_rope, which reads the parameters
    Local,   // a class of the file's own for this type, else the shared one
    Base,    // initialize_rope with a base and nothing else
    Turned,  // nn.RoPE, the other way round
  };
  Form form;
  std::string kind;  // of the layer, when the parameters are by kind
  std::string type = "default";
  std::string base = {};  // where it is not that of the parameters
};

class RopeFinder {
 public:
  RopeFinder(Context& context, const Frame& frame, const lift::Rope& rope)
      : context_(context), frame_(frame), rope_(rope) {
    const Value max = context.interp.try_getattr(
        context.evaluation.config, "max_position_embeddings");
    max_positions_ = max.is_number() ? max.as_double() : 0;
  }

  std::optional<Maker> find() {
    const Value parameters =
        rope_sets(context_.interp, context_.evaluation.config);
    // A base of a field of its own may by chance be that of rope_parameters.
    if (auto own = from_makers(); own && is_own(own->base)) {
      if (serves_types(parameters)) {
        own->form = Maker::Form::Shared;
        own->type = "default";
      }
      return own;
    }
    for (const Value& base : own_bases()) {
      if (auto maker = from(parameters, "", base)) {
        return maker;
      }
    }
    if (auto maker = from(parameters, "")) {
      return maker;
    }
    const std::string kind = layer_kind();
    if (!kind.empty() && parameters.is(eval::Kind::Dict)) {
      if (Value* own = parameters.get<eval::Dict>()->find(kind)) {
        if (auto maker = from(*own, kind)) {
          return maker;
        }
      }
    }
    if (auto maker = from_power(context_.trace.root)) {
      return maker;
    }
    return from_field();
  }

 private:
  std::string layer_kind() const {
    const Value kinds =
        context_.interp.try_getattr(context_.evaluation.config, "layer_types");
    const int64_t layer = layer_of(context_, frame_);
    if (layer < 0 || !kinds.is(eval::Kind::List) ||
        layer >= std::ssize(kinds.get<eval::List>()->items)) {
      return "";
    }
    const Value& kind = kinds.get<eval::List>()->items[layer];
    return kind.is_str() ? kind.str() : "";
  }

  /// A source that reads mscale_all_dim itself takes from a set of yarn more
  /// than how to turn, so that no other may stand for it.
  bool is_unclear(const RopeParameters& p) const {
    return p.type == "yarn" && reads_yarn_magnitude(context_.evaluation) &&
           (p.attention_factor
                ? p.mscale || p.mscale_all_dim
                : p.mscale.has_value() != p.mscale_all_dim.has_value());
  }

  /// True of the text of a base that no rotary parameters of the config give.
  static bool is_own(const std::string& base) {
    return base.find("args.") != base.npos &&
           base.find("args.rope_theta") == base.npos &&
           base.find("args.rope_parameters") == base.npos;
  }

  /// True where the default may be another type instead, for all that is known.
  bool serves_types(const Value& parameters) const {
    const auto p = RopeParameters::read(parameters, max_positions_);
    return p && p->type == "default" && uses_library_types(context_) &&
           std::any_of(
               std::begin(kLibraryTypes),
               std::end(kLibraryTypes),
               [&](const char* type) {
                 return type != p->type && !context_.left_ropes.contains(type);
               });
  }

  /// `own_base`: instead of that of the parameters.
  std::optional<Maker> from(
      const Value& parameters,
      const std::string& kind,
      const Value& own_base = {}) {
    auto p = RopeParameters::read(parameters, max_positions_);
    if (!p) {
      return {};
    }
    std::string base;
    if (own_base.defined()) {
      p->theta = own_base.as_double();
      base = base_text(own_base);
    }
    if (const auto shared = shared_rotation(*p, rope_.dims);
        shared && !is_unclear(*p) && rope_.steady &&
        agree(rope_.rotation, *shared)) {
      context_.yarn_mscale =
          context_.yarn_mscale ||
          (p->type == "yarn" && p->mscale && p->mscale_all_dim);
      return Maker{Maker::Form::Shared, kind, p->type, base};
    }
    if (!local_rotation(*p, rope_.dims, 1)) {
      return {};
    }
    const auto law = [&](int length) {
      return *local_rotation(*p, rope_.dims, length);
    };
    const int near = static_cast<int>(context_.evaluation.length);
    const int threshold = rope_threshold(*p);
    std::vector<int> lengths{near, near + 20, 1000};
    if (threshold) {
      lengths = {near, threshold, threshold + 1, 3 * threshold};
    }
    std::erase_if(lengths, [&](int length) { return length < near; });
    if (lift::follows(
            context_.interp,
            context_.trace,
            context_.evaluation.positions,
            rope_,
            law,
            lengths)) {
      return Maker{Maker::Form::Local, kind, p->type, base};
    }
    return {};
  }

  /// The base in what this rotation's own frequencies are computed by.
  std::optional<Maker> from_makers() {
    std::optional<Maker> out;
    visit_makers([&](const OpNode& op) {
      out = from_op(op);
      return out.has_value();
    });
    return out;
  }

  /// Numbers of the config, but for its rotary parameters, that these
  /// frequencies are powers or multiples of.
  std::vector<Value> own_bases() {
    static const std::set<std::string_view> kMakers = {
        "pow", "rpow", "mul", "rmul"};
    std::vector<Value> out;
    visit_makers([&](const OpNode& op) {
      for (const Value& arg : op.args) {
        if (kMakers.contains(op.op->name) && arg.is_number() &&
            arg.provenance() && arg.as_double() > 1 && is_own(base_text(arg))) {
          out.push_back(arg);
        }
      }
      return false;
    });
    return out;
  }

  /// The operations that this rotation comes from, until one is the last.
  void visit_makers(const std::function<bool(const OpNode&)>& is_last) {
    std::set<ValueId> seen{rope_.input};
    std::vector<ValueId> pending{rope_.output};
    while (!pending.empty()) {
      const ValueId id = pending.back();
      pending.pop_back();
      if (!seen.insert(id).second) {
        continue;
      }
      const auto& info = context_.trace.info(id);
      if (const OpNode* op = info.producer) {
        if (is_last(*op)) {
          return;
        }
        pending.insert(pending.end(), op->inputs.begin(), op->inputs.end());
      } else if (!info.parameter.empty()) {
        add_makers(info, pending);
      }
    }
  }

  /// The values that a buffer was filled from.
  void add_makers(const trace::ValueInfo& buffer, std::vector<ValueId>& out) {
    const auto* tensor = torch::as_tensor(buffer.tensor);
    for (ValueId id = 1; id < context_.trace.values.size(); ++id) {
      const auto& info = context_.trace.info(id);
      const auto* other = torch::as_tensor(info.tensor);
      if (tensor && other && info.producer && other->shares_storage(*tensor)) {
        out.push_back(id);
      }
    }
  }

  /// A base that the source raises to the powers of the frequencies.
  std::optional<Maker> from_power(const Frame& frame) {
    for (const auto& item : frame.items) {
      if (const auto* op = std::get_if<OpNode>(&item)) {
        if (auto maker = from_op(*op)) {
          return maker;
        }
      } else if (
          const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        if (auto maker = from_power(**child)) {
          return maker;
        }
      }
    }
    return {};
  }

  /// By the base of a power, if the op is one.
  std::optional<Maker> from_op(const OpNode& op) {
    if (op.op->name == "pow" || op.op->name == "rpow") {
      for (const Value& arg : op.args) {
        if (auto maker = from_base(arg)) {
          return maker;
        }
      }
    }
    return {};
  }

  /// By a field of the config that is the base, however the source raises it to
  /// powers: exp(-log(base) * ..), (1 / base) ** ..
  std::optional<Maker> from_field() {
    const auto& frequencies = rope_.rotation.frequencies;
    if (frequencies.size() < 2) {
      return {};
    }
    constexpr double kRounding = 1e-3;
    const double base = std::pow(
        std::abs(frequencies[1]), -static_cast<double>(frequencies.size()));
    const Value& config = context_.evaluation.config;
    for (const auto& [name, value] : config.object()->attrs->entries()) {
      if (value.is_number() && !value.is_bool() &&
          std::abs(value.as_double() - base) <= kRounding * base) {
        // Read as the source would, it says where it comes from.
        const Value field = context_.interp.try_getattr(config, name);
        auto maker = field.provenance() ? from_base(field) : std::nullopt;
        if (maker) {
          return maker;
        }
      }
    }
    return {};
  }

  std::optional<Maker> from_base(const Value& base) {
    const bool plain =
        rope_.steady && std::abs(rope_.rotation.magnitude - 1) <= 1e-6;
    if (!plain || !base.is_number() || base.as_double() <= 1) {
      return {};
    }
    RopeParameters p;
    p.theta = base.as_double();
    lift::Rotation expected = *shared_rotation(p, rope_.dims);
    if (agree(rope_.rotation, expected)) {
      return Maker{Maker::Form::Base, "", "", base_text(base)};
    }
    for (double& f : expected.frequencies) {
      f = -f;
    }
    if (agree(rope_.rotation, expected)) {
      return Maker{Maker::Form::Turned, "", "", base_text(base)};
    }
    return {};
  }

  std::string base_text(const Value& base) {
    const auto p = RopeParameters::read(
        rope_sets(context_.interp, context_.evaluation.config), max_positions_);
    if (!base.provenance() && p && p->theta == base.as_double()) {
      context_.fields.insert("rope_theta");
      return "args.rope_theta";
    }
    return context_.args_text(base);
  }

  Context& context_;
  const Frame& frame_;
  const lift::Rope& rope_;
  double max_positions_ = 0;
};

/// The type of rope that the config names.
std::string config_type(Context& context) {
  const Value parameters = rope_sets(context.interp, context.evaluation.config);
  const Value* type = parameters.is(eval::Kind::Dict)
                          ? parameters.get<eval::Dict>()->find("rope_type")
                          : nullptr;
  return type && type->is_str() ? type->str() : "default";
}

/// The file serves that type alone. Of all but the default it reads the length,
/// too.
void fix_type(Context& context) {
  const std::string type = config_type(context);
  context.rope_fixed = true;
  context.rope_types.insert(type);
  if (type != "default") {
    context.fields.insert("max_position_embeddings");
  }
}

/// What a rotation by a formula of the source's own is made of.
struct OwnRotation {
  ValueId frequencies;  // radians per position, one for each pair
  bool turned;          // the other way round
  std::string scale;    // of the rotated channels; empty for 1
};

/// Walks back from a rotation to the constant frequencies it turns by.
class OwnFinder {
 public:
  OwnFinder(Context& context, const lift::Rope& rope)
      : context_(context), rope_(rope) {}

  std::optional<OwnRotation> find() {
    if (!rope_.steady) {
      return {};
    }
    walk();
    const bool scaled = std::abs(rope_.rotation.magnitude - 1) > 1e-6;
    if (!found_ || (scaled && !scale_)) {
      return {};
    }
    return OwnRotation{
        found_, turned_, scaled ? context_.args_text(*scale_) : ""};
  }

 private:
  void walk() {
    std::set<ValueId> seen{rope_.input};
    std::vector<ValueId> pending{rope_.output};
    while (!pending.empty()) {
      const ValueId id = pending.back();
      pending.pop_back();
      if (!seen.insert(id).second) {
        continue;
      }
      const auto& info = context_.trace.info(id);
      if (context_.flows.of(id) == lift::Flow::Constant) {
        take_frequencies(id);
      } else if (info.producer) {
        take_scale(*info.producer);
        const auto& inputs = info.producer->inputs;
        pending.insert(pending.end(), inputs.begin(), inputs.end());
      }
    }
  }

  void take_frequencies(ValueId id) {
    if (found_) {
      return;
    }
    const int sign =
        lift::holds_frequencies(context_.trace, id, rope_.rotation);
    if (sign != 0) {
      const auto& info = context_.trace.info(id);
      found_ = info.producer ? id : made(*torch::as_tensor(info.tensor));
      turned_ = sign < 0;
    }
  }

  /// The operation of the construction that a buffer was filled by.
  ValueId made(const torch::Tensor& buffer) {
    ValueId out = 0;
    for (ValueId id = 1; id < context_.trace.values.size(); ++id) {
      const auto& info = context_.trace.info(id);
      const auto* other = torch::as_tensor(info.tensor);
      if (other && info.producer && other->shares_storage(buffer) &&
          other->sizes == buffer.sizes) {
        out = id;
      }
    }
    return out;
  }

  void take_scale(const OpNode& op) {
    if (op.op->name != "mul" && op.op->name != "rmul") {
      return;
    }
    for (const Value& arg : op.args) {
      if (arg.is_number() &&
          std::abs(arg.as_double() - rope_.rotation.magnitude) <= 1e-6) {
        scale_ = arg;
      }
    }
  }

  Context& context_;
  const lift::Rope& rope_;
  ValueId found_ = 0;
  bool turned_ = false;
  std::optional<Value> scale_;
};

/// The class that turns by given frequencies comes to exist.
std::string frequency_class(Context& context) {
  const std::string name = "FrequencyRoPE";
  for (const auto& c : context.classes) {
    if (c.name == name) {
      return name;
    }
  }
  ClassText rope;
  rope.name = name;
  rope.init_params = {"freqs", "traditional", "scale: float = 1.0"};
  rope.init = {
      "self.dims = 2 * freqs.size",
      "self.traditional = traditional",
      "self.scale = scale",
      "self._freqs = 1.0 / freqs"};
  rope.call_params = {"x: mx.array", "offset: int = 0"};
  rope.call = {
      "if self.scale != 1.0:",
      "    x = x.at[..., : self.dims].multiply(self.scale)",
      "return mx.fast.rope(x, self.dims, traditional=self.traditional, "
      "base=None, scale=1.0, offset=offset, freqs=self._freqs)"};
  context.classes.push_back(rope);
  return name;
}

/// Far positions would turn by another number.
void refuse_far(Context& context, const FarNumber& number) {
  context.fields.insert("rope_theta");
  context.fields.insert("rope_scaling");
  const auto get = [](const std::string& key) {
    return "self.rope_scaling.get(\"" + key + "\")";
  };
  const Value set = rope_sets(context.interp, context.evaluation.config);
  const Value* own = set.get<eval::Dict>()->find(number.key);
  const bool alone = number.other.empty();
  add_guard(
      context.guards,
      {get(number.key) + " != " +
           (alone ? own ? literal(context.interp, *own) : "None"
                  : get(number.other)),
       "\"" + number.key + " other than " +
           (alone ? "that of this port" : number.other) +
           " is not supported\""});
}

bool write_own_rope(
    ModuleWriter& writer,
    const lift::Rope& rope,
    const std::string& traditional) {
  Context& context = writer.context();
  const auto own = OwnFinder(context, rope).find();
  const auto far = own ? far_numbers(context, rope) : std::nullopt;
  if (!far) {
    return false;
  }
  fix_type(context);
  for (const FarNumber& number : *far) {
    refuse_far(context, number);
  }
  const std::string name = frequency_class(context);
  writer.made_in_init("rope", own->frequencies, [&](const Expression& freqs) {
    return name + "(" + (own->turned ? "-" + freqs.at(kPrimary) : freqs.text) +
           ", " + traditional +
           (own->scale.empty() ? "" : ", scale=" + own->scale) + ")";
  });
  return true;
}

/// The parameters of a kind's set that the config class does not take as given.
const std::set<std::string>& replaced(
    Context& context,
    const std::string& kind) {
  const auto [it, fresh] = context.rope_replaced.try_emplace(kind);
  if (fresh) {
    Configs configs(context.interp);
    it->second = RopeConfig(context, configs)
                     .replaced({"rope_theta", "partial_rotary_factor"}, kind);
  }
  return it->second;
}

/// The channels turned, where a layer's own set of parameters says which part
/// of a head they are: int(head_dim * factor).
std::string dims_by_kind(
    Context& context,
    const eval::Provenance* dims,
    const std::string& kind,
    const std::string& set) {
  using Kind = eval::Provenance::Kind;
  const auto* product = dims->kind == Kind::Call && dims->name.str() == "int"
                            ? dims->left
                            : nullptr;
  if (!product || product->kind != Kind::Binary || product->name.str() != "*" ||
      !product->right) {
    return context.args_text(dims);
  }
  const auto* factor = product->right;
  const std::string head = context.args_text(product->left);
  const Value sets =
      context.interp.try_getattr(context.evaluation.config, "rope_parameters");
  const Value* own = sets.get<eval::Dict>()->find(kind);
  const bool given = own && own->is(eval::Kind::Dict) &&
                     own->get<eval::Dict>()->find("partial_rotary_factor");
  return "int(" + head + " * " + set +
         (factor->kind == Kind::Constant && !given
              ? ".get(\"partial_rotary_factor\", " + factor->text + "))"
              : "[\"partial_rotary_factor\"])");
}

/// All kinds of layers that have parameters of their own.
void note_kinds(Context& context) {
  const Value parameters =
      context.interp.try_getattr(context.evaluation.config, "rope_parameters");
  for (const auto& e : parameters.get<eval::Dict>()->entries()) {
    if (e.key.defined() && e.key.is_str() && e.value.is(eval::Kind::Dict)) {
      context.rope_kinds.insert(e.key.str());
    }
  }
}

/// initialize_rope, but for the types in `context.own_ropes`.
std::string creator(const Context& context) {
  std::string out = "def create_rope(dims, scaling_config, **kwargs):\n";
  for (const std::string& type : context.own_ropes) {
    const RopeClass own = rope_class(type);
    out += "    if scaling_config[\"type\"] == \"" + type +
           "\":\n        return " + own.name + "(" + own.arguments +
           ", **kwargs)\n";
  }
  return out + "    return initialize_rope(dims, scaling_config="
               "scaling_config, **kwargs)\n";
}

/// What is made of a set of parameters is made by that function.
void use_creator(Context& context) {
  const std::string shared = "initialize_rope(";
  for (ClassText& text : context.classes) {
    for (std::string& line : text.init) {
      const size_t at = line.find(shared);
      if (at != line.npos && line.find("scaling_config=", at) != line.npos) {
        line.replace(at, shared.size(), "create_rope(");
      }
    }
  }
}

}  // namespace

std::string write_rope_classes(Context& context) {
  if (context.own_ropes.empty()) {
    return "";
  }
  use_creator(context);
  std::string out;
  for (const std::string& type : context.own_ropes) {
    out += rope_class(type).text + "\n\n";
    if (type == "dynamic") {
      context.imports.insert("rope_utils:DynamicNTKScalingRoPE");
    }
  }
  return out + creator(context) + "\n\n";
}

void write_rope(
    ModuleWriter& writer,
    const Frame& frame,
    const std::optional<lift::Rope>& queries,
    const std::optional<lift::Rope>& keys) {
  Context& context = writer.context();
  if (!queries && !keys) {
    return;
  }
  const bool own_keys = !writer.reads_foreign_keys();
  if (!queries || (own_keys && (!keys || !same(*queries, *keys)))) {
    context.hole(
        frame.call,
        "queries and keys of '" + frame.path + "' are rotated differently");
  }
  const std::string traditional = queries->traditional ? "True" : "False";
  const auto maker = RopeFinder(context, frame, *queries).find();
  if (!maker && write_own_rope(writer, *queries, traditional)) {
    return;
  }
  if (!maker) {
    context.hole(
        frame.call,
        "the rotary embedding of '" + frame.path +
            "' is not the one of its rope_parameters");
  }
  const auto* provenance = dims_provenance(context.trace.root, queries->dims);
  std::string dims = dims_text(writer, *queries, provenance);
  using Form = Maker::Form;
  if (maker->form == Form::Base || maker->form == Form::Turned) {
    fix_type(context);
    const std::string head =
        maker->form == Form::Base ? "initialize_rope(" : "nn.RoPE(";
    if (maker->form == Form::Base) {
      context.imports.insert("rope_utils:initialize_rope");
    }
    writer.initialise(
        "rope",
        head + dims + ", base=" + maker->base + ", traditional=" + traditional +
            (maker->form == Form::Turned ? ", scale=-1.0)" : ")"));
    return;
  }
  context.fields.insert("max_position_embeddings");
  context.imports.insert("rope_utils:initialize_rope");
  context.rope_types.insert(maker->type);
  if (maker->form == Form::Local) {
    context.own_ropes.insert(maker->type);
  }
  const bool own_base = !maker->base.empty();
  context.rope_own_base = context.rope_own_base || own_base;
  std::string base = own_base ? maker->base : "args.rope_theta";
  std::string scaling = "args.rope_scaling";
  if (!maker->kind.empty()) {
    context.rope_by_kind = true;
    note_kinds(context);
    context.fields.insert("layer_types");
    scaling = "args.rope_parameters[args.layer_types[layer_idx]]";
    base = scaling + "[\"rope_theta\"]";
    const auto& own = replaced(context, maker->kind);
    if (own.contains("rope_theta")) {
      context.hole(
          frame.call,
          "the config class gives '" + frame.path +
              "' another rope_theta than its rope_parameters");
    }
    // What the class computes itself is not read from what it was given.
    if (own.contains("partial_rotary_factor")) {
      const auto* width = given_provenance(frame, queries->dims);
      dims = dims_text(writer, *queries, width);
      if (dims == std::to_string(queries->dims)) {
        context.hole(
            frame.call,
            "the config class computes how many channels of '" + frame.path +
                "' are rotated");
      }
    } else if (provenance) {
      dims = dims_by_kind(context, provenance, maker->kind, scaling);
    }
  } else {
    context.fields.insert("rope_theta");
    context.fields.insert("rope_scaling");
  }
  writer.initialise(
      "rope",
      "initialize_rope(" + dims + ", base=" + base +
          ", traditional=" + traditional + ", scaling_config=" + scaling +
          ", max_position_embeddings=args.max_position_embeddings)");
}

}  // namespace portwright::emit
